#pragma once

#include <string_view>

#include <boost/json/value.hpp>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/json.hpp>

/// Dynamic JSON: makes boost::json::value a described type (kind json), also as a field of structs. Kept out of
/// descriptor.hpp so that only those who need dynamic values compile Boost.JSON.
namespace flotilla {
namespace detail {
extern const JsonOperations json_value_operations;

template <>
struct CustomType<boost::json::value> {
    static consteval TypeDescriptor describe() {
        return {.kind = TypeKind::json, .size = sizeof(boost::json::value), .json = &json_value_operations};
    }
};
} // namespace detail

namespace json {
/// Any JSON text, under the same rules as parse(): strict, no duplicate keys, at most 64 levels. Whole numbers that fit
/// are std::int64_t or std::uint64_t, others double. Errors: as parse().
Result<boost::json::value> parse_value(std::string_view text);
} // namespace json
} // namespace flotilla
