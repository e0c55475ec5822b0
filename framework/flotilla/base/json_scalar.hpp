#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/descriptor.hpp>

/// Texts of single values into described scalars, for the JSON reader and for path and query parameters. Each function
/// answers an empty text, or what is wrong: "expected 1..1000, found 0".
namespace flotilla::json {

/// Whether token is a JSON number (RFC 8259 §6).
bool is_number(std::string_view token);
/// Requires of these three: is_number(token).
std::string set_integer(const TypeDescriptor& type, void* into, std::string_view token);
std::string set_real(const TypeDescriptor& type, void* into, std::string_view token);
std::string set_money(void* into, std::string_view token);

/// Kinds string, timestamp and enumeration. Requires: valid UTF-8.
std::string set_string(const TypeDescriptor& type, void* into, std::string_view content);

/// What a value of the type looks like, for messages: "a whole number", "one of PENDING, CONFIRMED".
std::string expected(const TypeDescriptor& type);

} // namespace flotilla::json
