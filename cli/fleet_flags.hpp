#pragma once

#include "cli/commands.hpp"

namespace CLI {
class App;
}

namespace flotilla::cli {

/// What the flags leave open. The script ./flotilla says by FLOTILLA_HOME where the project lies; without it everything
/// is relative to here.
FleetOptions default_fleet();

/// Adds the flags that choose a fleet: --data, --file (-f where that means nothing else), --port-offset.
void add_fleet_flags(CLI::App& app, FleetOptions& fleet, const char* file_flag = "--file,-f");
/// Notes which of them were given. Requires: the arguments have been read.
void note_given(const CLI::App& app, FleetOptions& fleet);

} // namespace flotilla::cli
