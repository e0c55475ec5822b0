#pragma once

#include <optional>
#include <string>
#include <vector>

#include <flotilla/aio/context.hpp>

#include "cli/fleet_state.hpp"

namespace flotilla::cli {

/// One line of `status`.
struct MemberReport {
    std::string name;
    std::string state;   ///< "ok", "degraded" (serving, but a dependency is missing), "not ready" or "down"
    std::string address; ///< "http://127.0.0.1:3001"
    std::int64_t pid = 0;
    int restarts = 0;
    std::int64_t uptime_seconds = 0;
    std::optional<std::string> detail; ///< why it is not ok
};

struct FleetReport {
    std::string fleet;
    std::string data;
    bool supervised = false; ///< somebody restarts what dies
    std::vector<MemberReport> members;
};

/// Asks every member how it is, all at once; two seconds at most.
task<Result<FleetReport>> report_fleet(Context& context, DataFolder folder, FleetState state);

/// As report_fleet, but first gives members that have just started a moment to find each other: up to three seconds
/// until every member is "ok".
task<Result<FleetReport>> report_settled_fleet(Context& context, DataFolder folder, FleetState state);

/// True when every member is "ok" or "degraded".
bool all_serving(const FleetReport& report);

/// The report as a table for people. `up`: the command that takes over a fleet that nobody supervises.
std::string describe(const FleetReport& report, const std::string& up);

} // namespace flotilla::cli
