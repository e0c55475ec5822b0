#include "gateway/core/gateway.hpp"

#include <flotilla/base/json.hpp>

namespace flotilla::gateway {
namespace {

http::ServerOptions server_options(http::ServerOptions options, const Config& config) {
    options.body_bytes_max = config.body_bytes_max;
    options.request_timeout = config.timeout;
    return options;
}

TargetsOptions targets_options(TargetsOptions options, const Config& config) {
    options.configuration = config.targets;
    return options;
}

} // namespace

Result<std::unique_ptr<Gateway>> Gateway::listen(World& world, const Config& config,
                                                 std::shared_ptr<const RouteTable> routes, http::Client& client,
                                                 Registry& registry, RetryBudgets& budgets, Telemetry& telemetry,
                                                 GatewayOptions options, Lane lane) {
    std::unique_ptr<Gateway> gateway(
        new Gateway(world, config, std::move(routes), client, registry, budgets, telemetry, options, lane));
    if (auto bound = gateway->listen(world, config, telemetry, options, lane); !bound) return std::move(bound.error());
    return gateway;
}

Gateway::Gateway(World& world, const Config& config, std::shared_ptr<const RouteTable> routes, http::Client& client,
                 Registry& registry, RetryBudgets& budgets, Telemetry& telemetry, const GatewayOptions& options,
                 Lane lane)
    : world_(world), routes_(std::move(routes)), client_(client), registry_(registry), telemetry_(telemetry),
      targets_(world, client, registry, budgets, telemetry, targets_options(options.targets, config)),
      proxy_(targets_, lasting_), composer_(targets_, telemetry, config.composed_bytes_max),
      recorder_(world, *routes_, telemetry, config.access_log_sample, config.access_log_slow),
      own_pages_(
          {.service = options.node.service, .instance = {}, .version = options.node.version},
          [this] { return node_->health(); }, telemetry.metrics),
      shedder_(world, telemetry, options.node.shed_after, std::to_string(lane.number)),
      pipeline_(world, routes_, proxy_, composer_, recorder_, own_pages_, shedder_, telemetry) {}

Result<void> Gateway::listen(World& world, const Config& config, Telemetry& telemetry, const GatewayOptions& options,
                             Lane lane) {
    auto node = Node::listen(
        world, telemetry,
        {.options = options.node,
         .lane = lane,
         .handler = [this](Context& request, http::Exchange& exchange) { return pipeline_.handle(request, exchange); },
         .server = server_options(options.server, config)});
    if (!node) return std::move(node.error());
    node_ = std::move(*node);
    own_pages_.set_instance(node_->identity().instance);
    node_->announce_in(registry_);
    node_->add(lasting_.part());
    watch_upstreams(config);
    follow_target_values(config, lane);
    add_targets_page();
    publish_figures();
    take_faults();
    return {};
}

// Asking for an upstream starts to watch it: the first request finds its instances.
void Gateway::watch_upstreams(const Config& config) {
    for (const auto& service : called_services(config)) {
        const auto& target = targets_.of(service);
        auto check = [this, service]() -> Result<void> {
            if (!registry_.instances(service)->empty()) return {};
            return Error(Kind::unavailable, "no instance is known");
        };
        node_->checks().add(service, std::move(check), false);
        node_->checks().show(service, [this, &target] { return target.detail(world_.monotonic()); });
    }
}

void Gateway::add_targets_page() {
    own_pages_.add_page(std::string(kTargetsPath), "application/json", [this] {
        auto report = report_targets(targets_, node_->loop_label(), world_.monotonic());
        report.refused = target_values_->refused();
        return json::write(report);
    });
}

void Gateway::follow_target_values(const Config& config, Lane lane) {
    const auto check = [known = called_services(config), routes = config.routes](const TargetSetting& setting,
                                                                                 bool) -> Result<void> {
        if (auto called = check_target_name(setting.target, known); !called) return called;
        TargetConfiguration alone;
        if (auto set = alone.set(setting); !set) return set;
        return check_targets(alone, routes);
    };
    target_values_ = std::make_unique<TargetKeyValues>(
        world_, registry_, targets_, telemetry_,
        TargetKeyValues::Options{.prefixes = TargetKeyValues::prefixes_of_gateway(node_->identity().service),
                                 .check = check,
                                 .logs = lane.primary()});
    node_->add({.name = "target options", .run = [this](Context& context) { return target_values_->run(context); }});
}

/// What belongs to this loop and a scrape on another one could not read.
void Gateway::publish_figures() {
    node_->publish([this] { targets_.publish(node_->loop_label()); });
}

/// What a fault does inside a service has no place here: of a plan only the addresses that are cut off count.
void Gateway::take_faults() {
    node_->take_faults([this](const FaultPlan& plan) {
        client_.cut_off(plan.cut_off);
        if (plan.slow_ms == 0 && plan.fail_percent == 0) return;
        telemetry_.log.error("the gateway is neither slow nor fails on purpose", {{"supported", "cutOff"}});
    });
}

task<Result<void>> Gateway::run(Context& stop, std::function<void()> withdrawn) {
    return node_->run(stop, {.ready = [this] { log_ready(); }, .withdrawn = std::move(withdrawn)});
}

void Gateway::log_ready() const {
    if (!node_->primary()) return;
    telemetry_.log.info("ready", {{"address", address().to_string()}, {"routes", routes_->targets().size()}});
}

} // namespace flotilla::gateway
