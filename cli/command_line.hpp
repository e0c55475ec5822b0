#pragma once

#include "cli/commands.hpp"

namespace flotilla::cli {

/// Reads the arguments of the program and runs the command they name. `fleet`: what the flags that choose a fleet leave
/// open; its strings are the defaults that --help shows. Returns the exit code of the command; 2 for arguments that are
/// none, with what was probably meant. Throws what the command throws.
int run_command_line(int argc, const char* const* argv, FleetOptions fleet);

} // namespace flotilla::cli
