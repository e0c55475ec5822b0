#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// The whole content of a configuration file, read at start-up. Errors: not_found, or unavailable, with the system's
/// reason: not readable, a folder. Blocks.
Result<std::string> read_text_file(const std::string& path);

/// Puts a file with that content in the place of the one that is there, if any: whoever reads finds the one or the
/// other. Not durable: after a loss of power it may be either, or neither. Errors: unavailable, with the reason.
/// Blocks.
Result<void> replace_text_file(const std::string& path, std::string_view content, unsigned permissions = 0644);

} // namespace flotilla
