#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include <flotilla/aio/process_limits.hpp>

#include "hub/hub.hpp"

int main(int argc, char** argv) {
    using namespace flotilla;
    hub::HubOptions options;
    CLI::App app("The hub of a fleet: registry (Consul API), event bus (Redis protocol), mail catcher (SMTP).",
                 "flotilla-hub");
    app.add_option("--data", options.data, "Folder of everything the hub keeps")->capture_default_str();
    app.add_option("--host", options.host, "Address to listen on")->capture_default_str();
    app.add_option(
           "--allowed-host", options.allowed_hosts,
           "Name that HTTP answers to besides addresses, localhost, this machine's and those without a dot, as in "
           "hub.example.com; .example.com: and all below. May be repeated")
        ->delimiter(',')
        ->envname("FLOTILLA_HUB_ALLOWED_HOSTS");
    app.add_option("--http-port", options.http_port, "Consul API, mail and health; 0 picks a free port")
        ->capture_default_str();
    app.add_option("--redis-port", options.redis_port, "Event bus; 0 picks a free port")->capture_default_str();
    app.add_option("--smtp-port", options.smtp_port, "Mail catcher; 0 picks a free port")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    prepare_server_process();
    try {
        return hub::Hub(std::move(options), Logger("flotilla-hub")).run();
    } catch (const std::exception& bug) {
        std::fprintf(stderr, "flotilla-hub: %s\n", bug.what());
        return 1;
    }
}
