#include "gateway/core/gateway.hpp"

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/http/client_load.hpp>

namespace flotilla::gateway {
namespace {

http::ServerOptions server_options(http::ServerOptions options, const Config& config) {
    options.body_bytes_max = config.body_bytes_max;
    options.request_timeout = config.timeout;
    return options;
}

} // namespace

Gateway::Gateway(World& world, const Config& config, std::shared_ptr<const RouteTable> routes, http::Client& client,
                 Registry& registry, Telemetry& telemetry, GatewayOptions options)
    : options_(std::move(options)), routes_(std::move(routes)), registry_(registry), log_(telemetry.log), world_(world),
      upstreams_(world, client, registry, telemetry, options_.upstreams), proxy_(world, upstreams_),
      composer_(upstreams_, telemetry, config.composed_bytes_max),
      recorder_(world, *routes_, telemetry, config.access_log_sample, config.access_log_slow),
      own_(health_, telemetry.metrics), pipeline_(world, routes_, proxy_, composer_, recorder_, own_, telemetry.log),
      server_(
          world, [this](Context& request, http::Exchange& exchange) { return pipeline_.handle(request, exchange); },
          server_options(options_.server, config)),
      watch_(world, telemetry.metrics, std::to_string(options_.loop)) {
    watch_upstreams();
    publish_figures(telemetry.metrics);
}

/// What belongs to this loop and a scrape on another one could not read.
void Gateway::publish_figures(Metrics& metrics) {
    auto& connections = metrics.gauge("http_server_connections", "Connections of clients, idle ones included.",
                                      {{"loop", watch_.loop()}});
    watch_.publish(
        [this, &connections] { connections.set(static_cast<std::int64_t>(server_.statistics().connections)); });
    for (const auto& service : routes_->services()) {
        watch_.publish([this, &upstream = upstreams_.of(service),
                        gauges = http::ClientLoadGauges(metrics, watch_.loop(), service)]() mutable {
            gauges.set(upstreams_.load(upstream));
        });
    }
}

// Asking for an upstream starts to watch it: the first request finds its instances.
void Gateway::watch_upstreams() {
    health_.add("registry", [this] { return registry_.health(); }, false);
    for (const auto& service : routes_->services()) {
        upstreams_.of(service);
        auto check = [this, service]() -> Result<void> {
            if (!registry_.instances(service)->empty()) return {};
            return Error(Kind::unavailable, "no instance is known");
        };
        health_.add(service, std::move(check), false);
    }
}

Result<Address> Gateway::listen() {
    auto address = server_.listen(Address::tcp(options_.host, options_.port), {.reuse_port = options_.reuse_port});
    if (!address) return address;
    address_ = *address;
    own_.set_identity("gateway-" + std::to_string(address_.port), options_.version);
    return address_;
}

void Gateway::announce() {
    registry_.announce({.id = "gateway-" + std::to_string(address_.port),
                        .service = "gateway",
                        .address = address_,
                        .unix_socket = {},
                        .host = options_.host,
                        .version = options_.version});
}

task<void> Gateway::run(Context& context, std::function<void()> ready) {
    // What serves outlives the stop signal until the last request is answered, so it hangs on a root of its own.
    Context serving_root(world_);
    Scope serving(serving_root);
    serving.spawn(registry_.run(serving.context()));
    serving.spawn(server_.run(serving.context()));
    if (options_.primary) {
        announce();
        log_.info("ready", {{"address", address_.to_string()}, {"routes", routes_->targets().size()}});
    }
    watch_.start();
    if (ready) ready();

    Event stop;
    auto stopped = co_await stop.wait(context);
    if (stopped) stopped = context.check(); // nobody notifies: it ends when the context is cancelled

    own_.set_draining();
    if (options_.primary) {
        Context patience(serving_root, options_.drain);
        auto withdrawn = co_await registry_.withdraw(patience);
        if (!withdrawn) log_.warning("could not withdraw from the registry", {{"error", withdrawn.error().message()}});
    }
    co_await server_.shutdown(serving_root, options_.drain);
    serving.cancel(Error(Kind::unavailable, "shutting down"));
    co_await serving.join();
    if (options_.primary) log_.info("stopped");
}

} // namespace flotilla::gateway
