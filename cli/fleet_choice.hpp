#pragma once

#include <flotilla/base/result.hpp>

#include "cli/commands.hpp"
#include "cli/fleet_state.hpp"

namespace flotilla::cli {

// A data folder has one fleet: it says which one is meant. What else the flags say must be true of that fleet.

/// Errors: conflict when a flag that was given says otherwise than the fleet was started, without what to do about it.
Result<void> check_choice(const FleetOptions& options, const DataFolder& folder, const FleetState& state);

/// The state of the fleet that is meant; nullopt where none has been started. Errors: as read_state(), and as
/// check_choice(), with what to do.
Result<std::optional<FleetState>> find_fleet(const FleetOptions& options, const DataFolder& folder);

/// The running fleet that is meant, for commands that ask its members. Errors: as find_fleet(); not_found when none
/// runs, with what to do.
Result<FleetState> find_running_fleet(const FleetOptions& options);
/// The port of a member, or of the first instance of a service. Errors:
/// not_found.
Result<std::uint16_t> port_of(const FleetState& state, const std::string& member);

/// The options that would start this fleet as it was.
FleetOptions as_started(FleetOptions options, const FleetState& state);

} // namespace flotilla::cli
