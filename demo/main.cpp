// ./flotilla demo: four orders in a running shop, and what each service did for them.
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "bench/harness/server_process.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_flags.hpp"
#include "cli/terminal.hpp"
#include "demo/shop_client.hpp"

namespace {

using namespace flotilla;

/// Throws std::runtime_error when somebody is missing.
demo::Ports ports_of(const cli::FleetState& fleet) {
    const auto port = [&](const char* member) {
        const auto found = cli::port_of(fleet, member);
        if (!found) throw std::runtime_error(found.error().message());
        return *found;
    };
    return {.gateway = port("gateway"),
            .orders = port("order-service"),
            .payments = port("payment-service"),
            .hub = port("hub")};
}

/// Whether it ended as it should.
bool tell(int number, const demo::Story& story, const demo::Ports& ports) {
    std::printf("%s%d. %s%s\n  %s\n", std::string(cli::bold()).c_str(), number, std::string(story.title).c_str(),
                std::string(cli::plain()).c_str(), std::string(story.plot).c_str());
    std::fflush(stdout);
    const auto ending = demo::play(story, ports);
    std::printf("%s", demo::told(story, ending).c_str());
    const auto faults = demo::faults_in(story, ending);
    for (const auto& fault : faults)
        std::printf("  %sNot as it should be: %s%s\n", std::string(cli::red()).c_str(), fault.c_str(),
                    std::string(cli::plain()).c_str());
    std::printf("\n");
    return faults.empty();
}

int run(const cli::FleetOptions& options) {
    const auto fleet = cli::find_running_fleet(options);
    if (!fleet) {
        std::fprintf(stderr, "%s\n", fleet.error().message().c_str());
        return 1;
    }
    const auto ports = ports_of(*fleet);
    bool fine = true;
    int number = 0;
    for (const auto& story : demo::stories())
        fine = tell(++number, story, ports) && fine;
    std::printf("The mails: http://127.0.0.1:%d/mail/messages\n", ports.hub);
    return fine ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "Places four orders in a running shop and tells what each service did for them: one that goes well, one "
        "whose card is declined, one of what is out of stock, one that cannot be shipped.",
        "./flotilla demo");
    auto fleet = cli::default_fleet();
    cli::add_fleet_flags(app, fleet);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    cli::note_given(app, fleet);
    try {
        bench::catch_interrupts();
        return run(fleet);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "flotilla demo: %s\n", error.what());
        return 1;
    }
}
