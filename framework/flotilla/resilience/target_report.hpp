#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/resilience/targets.hpp>

namespace flotilla {

/// The path of the page that shows them.
inline constexpr std::string_view kTargetsPath = "/targetz";

/// An instance as a loop sees it.
struct InstanceReport {
    std::string id, incarnation;
    std::string state;                 ///< of its circuit breaker: "CLOSED", "HALF_OPEN", "OPEN"
    std::optional<std::string> detail; ///< why it is not CLOSED, and for how long
    std::uint64_t in_flight = 0;
    std::optional<double> latency_ms; ///< as peak_ewma estimates it; absent: no answer yet
    double failure_rate = 0;          ///< 0 to 1, recent calls
    double weight = 1;
    bool own_zone = true;
};

/// An option in force.
struct OptionReport {
    std::string key, value;
    std::string from; ///< "default", "gateway.yaml:12", "--target"
};

/// What is said of one endpoint alone.
struct EndpointReport {
    std::string endpoint; ///< "GET /users/{id}"
    std::vector<OptionReport> options;
};

struct TargetReport {
    std::string service;
    bool panic = false;                       ///< no instance is CLOSED, so that all are used
    std::uint64_t under_way = 0, waiting = 0; ///< calls that the bulkhead lets through, and those it keeps
    std::vector<InstanceReport> instances;
    std::vector<OptionReport> options; ///< all, in the order of TargetOptions
    std::vector<EndpointReport> endpoints;
};

/// A value of the registry's key-value store that is not in force.
struct RefusedValue {
    std::string key, value;
    std::string error;
    bool operator==(const RefusedValue&) const = default;
};

struct TargetsReport {
    std::string loop; ///< whose view it is: each loop learns for itself
    std::vector<TargetReport> targets;
    std::vector<RefusedValue> refused;
};

/// The targets of a loop as they are now. No addresses and nothing secret: whoever may read metrics may read it.
TargetsReport report_targets(const Targets& targets, std::string_view loop, Instant now);

} // namespace flotilla
