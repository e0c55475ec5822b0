#include <flotilla/node/flags.hpp>

#include "hub/hub.hpp"

namespace {

using namespace flotilla;

task<Result<std::unique_ptr<Runnable>>> prepare(Context& context, World& world, Telemetry& telemetry,
                                                hub::HubOptions options) {
    co_return co_await must(hub::Hub::start(context, world, telemetry, std::move(options)));
}

} // namespace

int main(int argc, char** argv) {
    hub::HubOptions options;
    // A prefix of its own: FLOTILLA_HOST=0.0.0.0 for a fleet must not open the hub, which authenticates nobody.
    Flags flags("flotilla-hub",
                "The hub of a fleet: registry (Consul API), event bus (Redis protocol), mail catcher (SMTP).",
                "FLOTILLA_HUB_");
    add_program_flags(flags, options.node);
    flags
        .add("--allowed-host", options.allowed_hosts,
             "Name that HTTP answers to besides addresses, localhost, this machine's and those without a dot, as in "
             "hub.example.com; .example.com: and all below. May be repeated")
        .separated_by(',')
        .variable("FLOTILLA_HUB_ALLOWED_HOSTS");
    flags.add("--http-port", options.node.port, "Consul API, mail and health; 0 picks a free port");
    flags.add("--redis-port", options.redis_port, "Event bus; 0 picks a free port");
    flags.add("--smtp-port", options.smtp_port, "Mail catcher; 0 picks a free port");
    if (const auto ended = flags.parse(argc, argv)) return *ended;

    Telemetry telemetry(Logger(options.node.service, options.node.log_level, options.node.log_format));
    return run_lanes(telemetry, options.node, [&](Context& context, World& world, NodeOptions node, Lane) {
        hub::HubOptions its = options;
        its.node = std::move(node);
        return prepare(context, world, telemetry, std::move(its));
    });
}
