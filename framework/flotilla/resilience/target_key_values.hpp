#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <flotilla/discovery/registry.hpp>
#include <flotilla/resilience/target_report.hpp>
#include <flotilla/resilience/targets.hpp>

namespace flotilla {

/// Options of calls that change while a program runs: values in its registry's key-value store (KeyValues), each under
///
///     config/CALLER/targets/TARGET/OPTION              config/order-service/targets/user-service/retry.retries
///     config/CALLER/targets/TARGET/ENDPOINT/OPTION     .../user-service/GET /users/{id}/timeouts.call
///     config/targets/TARGET/...                        for all services that call
///
/// They count more than files and less than flags and variables. A value that is wrong is refused, in the log and in
/// refused(), and what it would replace stays; a key that goes takes its option back. While the registry is away
/// everything stays. Thread-safety: none; one per loop. Requires: what it is given outlives it.
class TargetKeyValues {
public:
    struct Options {
        std::vector<std::string> prefixes; ///< of the keys, "config/targets/"; what a later one says counts more
        /// Whether a program has what a setting is about. own: it is said to this caller alone. Errors: why not.
        std::function<Result<void>(const TargetSetting& setting, bool own)> check;
        bool logs = true; ///< of several loops one tells
    };
    /// The prefixes of a service's calls, and of the gateway's, for which what is said of services does not count.
    static std::vector<std::string> prefixes_of_service(const std::string& caller);
    static std::vector<std::string> prefixes_of_gateway(const std::string& caller);

    TargetKeyValues(World& world, Registry& registry, Targets& targets, Telemetry& telemetry, Options options);

    /// Follows the store until the context is cancelled; returns at once when the registry has none.
    task<void> run(Context& context);
    /// What is there now and not in force.
    std::vector<RefusedValue> refused() const;

private:
    struct Followed {
        std::string prefix;
        std::map<std::string, TargetSetting> in_force; ///< by key
        std::vector<RefusedValue> refused;
    };

    task<void> follow(Context& context, KeyValues& values, Followed& followed);
    void take(Followed& followed, const std::vector<KeyValue>& values);
    Result<TargetSetting> read(const std::string& prefix, const KeyValue& value) const;
    Result<TargetConfiguration> configured() const;
    void tell(const std::map<std::string, TargetSetting>& before, const Followed& followed) const;
    void refuse(Followed& followed, const std::vector<RefusedValue>& before, RefusedValue value) const;

    World& world_;
    Registry& registry_;
    Targets& targets_;
    Telemetry& telemetry_;
    const Options options_;
    const TargetConfiguration said_before_; ///< by files, flags and variables
    std::vector<Followed> followed_;
};

} // namespace flotilla
