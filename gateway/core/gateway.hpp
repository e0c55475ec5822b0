#pragma once

#include <functional>
#include <memory>
#include <string>

#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/node/health.hpp>
#include <flotilla/observe/loop_watch.hpp>
#include <flotilla/observe/telemetry.hpp>

#include "gateway/core/composition.hpp"
#include "gateway/core/config.hpp"
#include "gateway/core/own_endpoints.hpp"
#include "gateway/core/pipeline.hpp"
#include "gateway/core/proxy.hpp"
#include "gateway/core/recorder.hpp"
#include "gateway/core/route_table.hpp"
#include "gateway/core/upstreams.hpp"

namespace flotilla::gateway {

struct GatewayOptions {
    std::string host = "127.0.0.1"; ///< to listen on and to announce
    std::uint16_t port = 3000;      ///< 0: a free one
    bool reuse_port = false;        ///< several loops listen on the same port
    std::size_t loop = 0;           ///< its number, for metrics
    bool primary = true;            ///< announces the gateway in the registry; one loop per process does
    Duration drain = std::chrono::seconds(10);
    std::string version = "0.1.0";
    UpstreamOptions upstreams;
    /// Timeouts and limits; what the configuration says counts first. What nobody waits for is not asked of upstreams.
    http::ServerOptions server{.cancel_on_half_close = true};
};

/// A gateway on one loop: server, routes, upstreams. Several loops each have one, over the same configuration.
/// Thread-safety: none; metrics and log are shared between loops.
class Gateway {
public:
    /// `client` serves the upstreams; `registry` finds them and is run by this gateway. Both must outlive it.
    Gateway(World& world, const Config& config, std::shared_ptr<const RouteTable> routes, http::Client& client,
            Registry& registry, Telemetry& telemetry, GatewayOptions options);
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Starts to listen. Errors: unavailable.
    Result<Address> listen();
    /// Serves until the context is cancelled, then drains: callers stop coming, requests in flight finish.
    /// Requires: listen() succeeded. `ready` is called once it serves.
    task<void> run(Context& context, std::function<void()> ready = {});

private:
    void watch_upstreams();
    void publish_figures(Metrics& metrics);
    void announce();

    GatewayOptions options_;
    std::shared_ptr<const RouteTable> routes_;
    Registry& registry_;
    Logger log_;
    World& world_;
    Upstreams upstreams_;
    Proxy proxy_;
    Composer composer_;
    Recorder recorder_;
    HealthChecks health_;
    OwnEndpoints own_;
    Pipeline pipeline_;
    http::Server server_;
    LoopWatch watch_;
    Address address_;
};

} // namespace flotilla::gateway
