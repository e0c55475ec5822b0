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

/// The gateway's port of the fleet that is meant. Errors: as find_fleet(); not_found when none runs or it has no
/// gateway, with what to do.
Result<std::uint16_t> find_gateway(const FleetOptions& options);

/// The options that would start this fleet as it was.
FleetOptions as_started(FleetOptions options, const FleetState& state);

} // namespace flotilla::cli
