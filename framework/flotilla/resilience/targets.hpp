#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/aio/semaphore.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/client_load.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/resilience/balancer.hpp>
#include <flotilla/resilience/latency_quantile.hpp>
#include <flotilla/resilience/retry_budgets.hpp>
#include <flotilla/resilience/target_configuration.hpp>

namespace flotilla {

/// Bodies that stream to one instance at once; further ones wait. Half of the connections to an address
/// (http::ClientOptions), so that uploads that stall leave the other half to everybody else.
inline constexpr std::size_t kUploadsMax = http::ClientOptions{}.connections_per_address_max / 2;

/// One incarnation of an instance as this loop sees it. Shared: calls under way outlive a change of the list.
struct TargetInstance : InstanceState, std::enable_shared_from_this<TargetInstance> {
    TargetInstance(const Instance& instance, Address its_address, bool is_in_own_zone)
        : InstanceState(instance.id, instance.weight, is_in_own_zone), id(instance.id),
          incarnation(instance.incarnation), address(std::move(its_address)) {}

    std::string id;
    std::string incarnation;
    Address address;
    FifoSemaphore uploads{kUploadsMax};
};
using TargetInstancePtr = std::shared_ptr<TargetInstance>;

/// What became of the calls to one service: each figure is made when it is first needed. Thread-safe metrics below.
class TargetFigures {
public:
    TargetFigures(std::string service, Metrics& metrics);

    void count_answer(int status, Duration until_head);
    /// By the error's code: a connection that was not made, or an exchange that ended without its answer.
    void count_failure(std::string_view reason);
    void count_retry() { retries_.add(); }
    /// One that would have been made, had there been budget.
    void count_refused_retry() { refused_retries_.add(); }
    /// A second try beside a first one that takes long.
    void count_hedge() { hedges_.add(); }
    void count_transition(BreakerState to);
    void count_panic() { panics_.add(); }
    /// How many instances are in each state, and the connections to them, of one loop.
    void set_gauges(std::string_view loop, const std::vector<TargetInstancePtr>& instances, http::Client::Load load);

private:
    std::string service_;
    Metrics& metrics_;
    Counter& retries_;
    Counter& refused_retries_;
    Counter& panics_;
    Counter& hedges_;
    std::vector<std::pair<int, Histogram*>> durations_;      // by status
    std::vector<std::pair<std::string, Counter*>> failures_; // few: the codes of http::Client
    std::vector<Counter*> transitions_;                      // by state
    std::vector<Gauge*> instances_;                          // by state
    std::optional<http::ClientLoadGauges> load_;
};

/// The instances of one service, their states, and how calls are spread over them. One per loop; below the typed
/// client, the proxy and the composer alike: what they do with it is a TargetCall. Made by Targets.
class Target {
public:
    Target(std::string service, TargetOptions options, RetryBudget& budget, Telemetry& telemetry);

    const std::string& service() const { return service_; }
    const TargetOptions& options() const { return balancer_.options(); }
    /// Those of the calls to one endpoint, as its contract has it. Valid until Targets::configure().
    const TargetOptions& options_of(Method method, std::string_view path) const {
        return endpoints_.empty() ? options() : options_of_endpoint(method, path);
    }
    const std::vector<TargetInstancePtr>& instances() const { return instances_; }
    /// Calls that the bulkhead has let through, and those it keeps waiting.
    std::size_t under_way() const { return options().bulkhead.concurrency - permits_.available(); }
    std::size_t waiting() const { return permits_.waiting(); }
    /// Of the calls that may be hedged.
    LatencyQuantile& latencies() { return latencies_; }
    /// "2 of 3 instances are out: order-service-3002 OPEN for another 42s: failures in a row"; empty: all are CLOSED.
    std::string detail(Instant now) const;

private:
    friend class Targets;
    friend class TargetCall;

    /// The record of an instance that is known, or was until a moment ago: it keeps its state.
    TargetInstancePtr known(const Instance& instance, const Address& address) const;
    const TargetOptions& options_of_endpoint(Method method, std::string_view path) const;
    void configure(const TargetConfiguration& configuration, const TargetOptions& defaults);
    /// Says in log and metrics what has changed since it was last asked.
    void tell_change(const Context& context, InstanceState& instance);
    void tell_panic(const Context& context);

    std::string service_;
    Telemetry& telemetry_;
    Balancer balancer_;
    struct EndpointOptions {
        std::string endpoint; ///< "GET /users/{id}"
        TargetOptions options;
    };
    std::vector<EndpointOptions> endpoints_; ///< those that say something else
    RetryBudget& budget_;
    FifoSemaphore permits_; ///< the bulkhead: calls under way
    TargetFigures figures_;
    LatencyQuantile latencies_;
    Instances seen_;
    std::vector<TargetInstancePtr> instances_;
    struct Departed {
        TargetInstancePtr instance;
        Instant until;
    };
    std::vector<Departed> departed_; ///< one that comes back is the same, with its state and permits
    Instant unreachable_logged_{};
};

struct TargetsOptions {
    std::string this_host = {}; ///< where Unix sockets of instances can be used
    std::string zone = {};      ///< the own one; empty: zones are not told apart
    TargetOptions defaults = {};
    TargetConfiguration configuration = {}; ///< what replaces them, for all services and for each
};

/// The targets of one loop by name, from the registry: who asks for one watches it from then on.
/// Thread-safety: none; one per loop. Requires: what it is given outlives it, and it outlives the calls.
class Targets {
public:
    Targets(World& world, http::Client& client, Registry& registry, RetryBudgets& budgets, Telemetry& telemetry,
            TargetsOptions options);

    /// The reference stays valid.
    Target& of(std::string_view service);
    /// As of(), without making one; null: nobody has asked for it.
    Target* find(std::string_view service);
    /// Those that somebody has asked for, by service.
    const std::map<std::string, std::unique_ptr<Target>, std::less<>>& all() const { return targets_; }
    const TargetConfiguration& configuration() const { return options_.configuration; }
    /// Other options from now on; calls under way keep what they began with, and what is_changeable_option() excludes
    /// stays as it was. Requires: it was checked.
    void configure(TargetConfiguration configuration);

    /// Sets the gauges of what belongs to this loop: instances by state, connections.
    void publish(std::string_view loop);

private:
    friend class TargetCall;
    /// Takes the registry's list over, when it is another than the last one.
    void refresh(Target& target);
    bool in_own_zone(const Instance& instance) const;
    /// Errors: unavailable `no_instance` with retry_after; the context's reason.
    task<Result<void>> wait_for_instances(Context& context, Target& target);

    World& world_;
    http::Client& client_;
    Registry& registry_;
    RetryBudgets& budgets_;
    Telemetry& telemetry_;
    TargetsOptions options_;
    std::map<std::string, std::unique_ptr<Target>, std::less<>> targets_;
};

} // namespace flotilla
