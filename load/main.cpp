// ./flotilla load: asks a running shop for what its users would, at a steady rate.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <set>

#include <CLI/CLI.hpp>

#include "bench/harness/server_process.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_flags.hpp"
#include "load/report.hpp"

namespace {

using namespace flotilla;

struct Options {
    cli::FleetOptions fleet = cli::default_fleet();
    std::string mix = "shop";
    double rate = 100, seconds = 30, patience = 5;
    std::uint64_t seed = 1;
};

void add_flags(CLI::App& app, Options& options) {
    std::set<std::string> names;
    std::string footer = "Mixes:\n";
    for (const auto& mix : load::mixes()) {
        names.emplace(mix.name);
        footer += "  " + std::string(mix.name) + ": " + std::string(mix.summary) + "\n";
    }
    app.add_option("--rate", options.rate, "Requests a second, sent at random instants whatever became of those before")
        ->check(CLI::Range(0.1, 100'000.0))
        ->capture_default_str();
    app.add_option("--duration", options.seconds, "Seconds")->check(CLI::Range(0.1, 86'400.0))->capture_default_str();
    app.add_option("--mix", options.mix, "What is asked for")->check(CLI::IsMember(names))->capture_default_str();
    app.add_option("--patience", options.patience, "Seconds after which a client gives up")
        ->check(CLI::Range(0.01, 600.0))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "Of the instants and of what is chosen")->capture_default_str();
    cli::add_fleet_flags(app, options.fleet);
    app.footer(footer);
}

/// A line that the next one replaces; on a terminal only.
void show(const std::string& line) {
    if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
}

std::size_t columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 80;
}

int run(const Options& options) {
    const auto fleet = cli::find_running_fleet(options.fleet);
    const auto gateway = fleet ? cli::port_of(*fleet, "gateway") : fleet.error();
    if (!gateway) {
        std::fprintf(stderr, "%s\n", gateway.error().message().c_str());
        return 1;
    }
    const auto& mix = *std::ranges::find(load::mixes(), options.mix, &load::Mix::name);
    show("making users");
    const auto shop = load::prepare(*gateway, mix.needs_posts);
    std::mt19937_64 random(options.seed);
    bench::OpenLoad load{.port = *gateway,
                         .streams = mix.streams(shop, random),
                         .per_second = options.rate,
                         .seconds = std::chrono::duration<double>(options.seconds),
                         .patience = std::chrono::duration<double>(options.patience),
                         .seed = options.seed,
                         .counts_failures = true};
    load.report = [&](const bench::OpenProgress& progress) {
        show(load::progress_line(progress, load.seconds, columns()));
    };
    auto outcome = bench::run_open_loop(load);
    show("");
    const bool fine = load::all_served(outcome);
    std::fputs(load::summary(load, std::move(outcome)).c_str(), stdout);
    return fine ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "Asks a running shop for what its users would, and shows how long the answers took from the instant at "
        "which each request was to be sent.",
        "./flotilla load");
    Options options;
    add_flags(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    cli::note_given(app, options.fleet);
    try {
        bench::catch_interrupts();
        return run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "flotilla load: %s\n", error.what());
        return 1;
    }
}
