#pragma once

#include <string>
#include <string_view>

#include "cli/commands.hpp"

namespace flotilla::cli {

/// A command to suggest, ready to be pasted into a shell: `./flotilla <verb>`, with the data folder where one was
/// given, and, for `up`, with fleet file and port offset where they were.
std::string command_hint(const FleetOptions& options, std::string_view verb);

} // namespace flotilla::cli
