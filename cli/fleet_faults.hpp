#pragma once

#include <string>
#include <vector>

#include <flotilla/node/fault_file.hpp>

#include "cli/fleet_state.hpp"

namespace flotilla::cli {

/// Where calls reach a member: over TCP and its Unix socket.
std::vector<std::string> addresses_of(const MemberState& member, const DataFolder& folder);

/// "answers 200 ms later, fails 30 % of its requests, does not reach user-service.1".
std::string describe_faults(const FaultPlan& plan, const DataFolder& folder, const FleetState& state);

/// What ./flotilla chaos has done to a member, as describe_faults(), or that it is stopped. Empty: nothing.
std::string fault_of(const MemberState& member, const DataFolder& folder, const FleetState& state);

} // namespace flotilla::cli
