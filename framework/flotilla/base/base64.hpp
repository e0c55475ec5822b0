#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flotilla {

/// Bytes in the standard alphabet with padding (RFC 4648 §4), on one line.
std::string base64(std::string_view bytes);
/// The bytes; nullopt on anything else than base64() writes.
std::optional<std::string> parse_base64(std::string_view text);

} // namespace flotilla
