#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/result.hpp>

/// JSON (RFC 8259) for described types, strictly: what is written is read back exactly, and nothing is read that was
/// not meant. Thread-safety: all functions may be called from any thread.
namespace flotilla::json {

/// Appends the value as JSON. Absent optionals are left out; enumerators are their UPPER_SNAKE text; doubles are the
/// shortest text that reads back the same. Throws std::domain_error for a number JSON cannot say (infinity, NaN) and
/// std::out_of_range for an enumeration value without a name: both are bugs.
void write_to(std::string& out, const TypeDescriptor& type, const void* value);

template <Described T>
std::string write(const T& value) {
    std::string out;
    write_to(out, descriptor_of<T>, &value);
    return out;
}

/// Top-level fields, by position in TypeDescriptor::fields.
using FieldSet = std::bitset<kFieldsMax>;

/// Fills a fresh object from JSON text. `bound`: top-level fields that have their value already, from the path, say:
/// they are not required and what the text says about them is ignored.
/// Unknown fields are ignored but must be JSON; everything else must fit: no missing field (except optionals), null
/// only for optionals, no number narrowed or rounded, no duplicate keys, valid UTF-8, at most 64 levels. A number is
/// what it denotes, however it is written: 2, 2.0 and 20e-1 are the same integer.
/// Errors: invalid `invalid_json` with the byte offset; invalid `invalid_request` with every bad field (the first
/// hundred) in fields(), their paths as "items[2].quantity". After an error the object is partly filled.
Result<void> parse_into(std::string_view text, const TypeDescriptor& type, void* into, const FieldSet& bound = {});

template <Described T>
Result<T> parse(std::string_view text) {
    Result<T> value;
    if (auto done = parse_into(text, descriptor_of<T>, &*value); !done) return std::move(done.error());
    return value;
}

/// Sets one scalar (or an optional or Patch of one) from the text of a path or query parameter; an array gets one more
/// element. Errors: invalid `invalid_request`, the message ready for a FieldError: "expected 1..1000, found 0".
Result<void> set_from_text(const TypeDescriptor& type, void* into, std::string_view text);

/// Appends text as a JSON string literal. Requires: valid UTF-8 (bytes that are not are replaced by U+FFFD).
void quote(std::string& out, std::string_view text);

/// The error that lists bad fields: invalid `invalid_request`, its message names the first one. Requires: not empty.
Error invalid_request(std::vector<FieldError> fields);

} // namespace flotilla::json
