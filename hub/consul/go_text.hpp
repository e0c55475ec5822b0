#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

/// Texts the way Go reads and writes them, for answers that read as Consul's.
namespace flotilla::hub::consul {

/// In double quotes, with what cannot be printed escaped: Go's %q. Bytes that are not UTF-8 are \x escapes.
std::string go_quoted(std::string_view text);

/// The text of a Go string literal in double quotes (with escapes) or backquotes (raw, without carriage returns),
/// quotes included; nullopt when it is none. Source: strconv.Unquote.
std::optional<std::string> go_unquoted(std::string_view literal);

/// A whole number with Go's prefixes (0x, 0o, 0b, 0) and underscores between digits. Errors: invalid, with the text of
/// strconv.ParseInt.
Result<std::int64_t> parse_go_int(std::string_view text);

/// 1, t, T, true, True, TRUE and their opposites. Errors: invalid, with the text of strconv.ParseBool.
Result<bool> parse_go_bool(std::string_view text);

} // namespace flotilla::hub::consul
