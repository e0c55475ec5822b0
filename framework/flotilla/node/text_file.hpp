#pragma once

#include <string>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// The whole content of a configuration file, read at start-up. Errors: not_found, or unavailable, with the system's
/// reason: not readable, a folder. Blocks.
Result<std::string> read_text_file(const std::string& path);

} // namespace flotilla
