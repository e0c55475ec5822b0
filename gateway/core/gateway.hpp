#pragma once

#include <memory>

#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/node/lanes.hpp>
#include <flotilla/node/node.hpp>
#include <flotilla/resilience/target_key_values.hpp>

#include "gateway/core/composition.hpp"
#include "gateway/core/config.hpp"
#include "gateway/core/pipeline.hpp"
#include "gateway/core/proxy.hpp"
#include "gateway/core/recorder.hpp"
#include "gateway/core/route_table.hpp"

namespace flotilla::gateway {

struct GatewayOptions {
    NodeOptions node{.service = "gateway", .port = 3000};
    TargetsOptions targets; ///< but what is configured of them
    /// Timeouts and limits; what the configuration says counts first. What nobody waits for is not asked of upstreams.
    http::ServerOptions server{.cancel_on_half_close = true};
};

/// A gateway on one loop: server, routes, upstreams. Several loops each have one, over the same configuration. One that
/// exists is listening. Thread-safety: none; metrics and log are shared between loops.
class Gateway final : public Runnable {
public:
    /// `client` serves the upstreams; `registry` finds them and is run by this gateway; `budgets` are the process's.
    /// They must outlive it. Errors: unavailable, with the address.
    static Result<std::unique_ptr<Gateway>> listen(World& world, const Config& config,
                                                   std::shared_ptr<const RouteTable> routes, http::Client& client,
                                                   Registry& registry, RetryBudgets& budgets, Telemetry& telemetry,
                                                   GatewayOptions options, Lane lane = {});
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    const Address& address() const override { return node_->address(); }
    /// Serves until the context is cancelled, then drains: callers stop coming, requests in flight finish. Once.
    task<Result<void>> run(Context& stop, std::function<void()> withdrawn = {}) override;

private:
    Gateway(World& world, const Config& config, std::shared_ptr<const RouteTable> routes, http::Client& client,
            Registry& registry, RetryBudgets& budgets, Telemetry& telemetry, const GatewayOptions& options, Lane lane);
    Result<void> listen(World& world, const Config& config, Telemetry& telemetry, const GatewayOptions& options,
                        Lane lane);
    void watch_upstreams(const Config& config);
    void add_targets_page();
    void follow_target_values(const Config& config, Lane lane);
    void publish_figures();
    void take_faults();
    void log_ready() const;

    World& world_;
    std::shared_ptr<const RouteTable> routes_;
    http::Client& client_;
    Registry& registry_;
    Telemetry& telemetry_;
    Targets targets_;
    std::unique_ptr<TargetKeyValues> target_values_; ///< what changes their options
    LastingAnswers lasting_;
    Proxy proxy_;
    Composer composer_;
    Recorder recorder_;
    OwnPages own_pages_;
    LoadShedder shedder_;
    Pipeline pipeline_;
    std::unique_ptr<Node> node_;
};

} // namespace flotilla::gateway
