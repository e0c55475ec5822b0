#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla::gateway {

/// The one form of a path, so that what is matched is what is sent on (RFC 3986 §6.2.2 and more): dot segments and
/// repeated slashes removed, escapes of unreserved characters decoded, other escapes in upper case, characters that do
/// not belong into a path escaped. An escaped slash stays escaped. A trailing slash stays.
/// Returns a view of `path` itself when it already has that form, otherwise of `buffer`.
/// Errors: invalid for what servers read in different ways: a broken escape, %00, a backslash or control character, a
/// dot segment with parameters ("..;x") or behind an escaped slash ("a%2F..").
Result<std::string_view> normalise_path(std::string_view path, std::string& buffer);

/// What a path is to the gateway's own pages (OwnPages).
enum class OwnPage : unsigned char {
    none,
    page,      ///< it is one
    disguised, ///< a server behind could read it as one: with a trailing slash, parameters or in capitals
};
/// Whether a normalised path is one of them.
OwnPage own_page(std::string_view path);

} // namespace flotilla::gateway
