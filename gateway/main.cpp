#include <cstdio>

#include <flotilla/node/flags.hpp>

#include "gateway/core/gateway.hpp"

namespace {

using namespace flotilla;
using namespace flotilla::gateway;

struct Settings {
    std::string config = "gateway.yaml";
    std::vector<std::string> targets;
    bool check = false;
    GatewayOptions gateway;
};

/// What the loops share.
struct Configured {
    Config config;
    std::shared_ptr<const RouteTable> routes;
    std::unique_ptr<RetryBudgets> budgets = std::make_unique<RetryBudgets>();
};

Result<Configured> configure(const Settings& settings) {
    auto config = load_config(settings.config);
    if (!config) return std::move(config.error());
    if (auto taken = config->targets.set_all(settings.targets, "--target", called_services(*config)); !taken)
        return std::move(taken.error());
    if (auto known = check_targets(config->targets, config->routes); !known) return std::move(known.error());
    auto routes = RouteTable::build(*config);
    if (!routes) return std::move(routes.error());
    return Configured{std::move(*config), std::move(*routes)};
}

/// One loop's gateway, with what it asks upstreams and finds them with.
class OnLoop final : public Runnable {
public:
    OnLoop(World& world, Telemetry& telemetry, const NodeOptions& options)
        : client_(world), registry_(open_registry(world, client_, telemetry, options)) {}

    Result<void> listen(World& world, Telemetry& telemetry, const Configured& shared, GatewayOptions options,
                        Lane lane) {
        if (!registry_) return std::move(registry_.error());
        auto listening = Gateway::listen(world, shared.config, shared.routes, client_, **registry_, *shared.budgets,
                                         telemetry, std::move(options), lane);
        if (!listening) return std::move(listening.error());
        gateway_ = std::move(*listening);
        return {};
    }
    const Address& address() const override { return gateway_->address(); }
    task<Result<void>> run(Context& stop, std::function<void()> withdrawn) override {
        return gateway_->run(stop, std::move(withdrawn));
    }

private:
    http::Client client_;
    Result<std::unique_ptr<Registry>> registry_;
    std::unique_ptr<Gateway> gateway_;
};

task<Result<std::unique_ptr<Runnable>>> prepare(World& world, Telemetry& telemetry, const Configured& shared,
                                                GatewayOptions options, Lane lane) {
    auto made = std::make_unique<OnLoop>(world, telemetry, options.node);
    co_await must(made->listen(world, telemetry, shared, std::move(options), lane));
    co_return made;
}

int serve(const GatewayOptions& options, const Configured& shared) {
    Telemetry telemetry(Logger(options.node.service, options.node.log_level, options.node.log_format));
    return run_lanes(telemetry, options.node, [&](Context&, World& world, NodeOptions node, Lane lane) {
        GatewayOptions its = options;
        its.node = std::move(node);
        its.targets.this_host = its.node.host;
        its.targets.zone = its.node.zone;
        return prepare(world, telemetry, shared, std::move(its), lane);
    });
}

} // namespace

int main(int argc, char** argv) {
    Settings settings;
    Flags flags("flotilla-gateway", "Flotilla's gateway.");
    add_program_flags(flags, settings.gateway.node);
    add_member_flags(flags, settings.gateway.node);
    flags.add("--config", settings.config, "Routes and compositions");
    flags.add("--target", settings.targets, kTargetFlagHelp).separated_by(kTargetSeparator);
    flags.add_switch("--check", settings.check, "Only check the configuration");
    if (const auto ended = flags.parse(argc, argv)) return *ended;

    const auto shared = configure(settings);
    if (!shared) {
        std::fprintf(stderr, "%s\n", shared.error().message().c_str());
        return Flags::kWrongFlags;
    }
    if (settings.check) {
        std::printf("%s: %zu routes, no mistakes\n", settings.config.c_str(), shared->routes->targets().size());
        return 0;
    }
    return serve(settings.gateway, *shared);
}
