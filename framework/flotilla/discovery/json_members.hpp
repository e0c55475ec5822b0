#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

namespace flotilla {

// Reads the members of what registries answer, whose JSON is theirs: one that is absent, null or of another type counts
// as absent. Each takes a null object as one without members.

inline const boost::json::value* member(const boost::json::object* object, std::string_view key) {
    return object ? object->if_contains(key) : nullptr;
}

inline const boost::json::object* object_at(const boost::json::object* object, std::string_view key) {
    const auto* value = member(object, key);
    return value ? value->if_object() : nullptr;
}

inline const boost::json::array* array_at(const boost::json::object* object, std::string_view key) {
    const auto* value = member(object, key);
    return value ? value->if_array() : nullptr;
}

inline std::string text_of(const boost::json::string& text) { return {text.data(), text.size()}; }

/// Empty when it is absent.
inline std::string text_at(const boost::json::object* object, std::string_view key) {
    const auto* value = member(object, key);
    const auto* text = value ? value->if_string() : nullptr;
    return text ? text_of(*text) : std::string();
}

inline std::vector<std::string> texts_at(const boost::json::object* object, std::string_view key) {
    std::vector<std::string> texts;
    const auto* list = array_at(object, key);
    if (!list) return texts;
    for (const auto& each : *list) {
        if (const auto* text = each.if_string()) texts.push_back(text_of(*text));
    }
    return texts;
}

inline std::optional<bool> bool_at(const boost::json::object* object, std::string_view key) {
    const auto* value = member(object, key);
    const auto* truth = value ? value->if_bool() : nullptr;
    return truth ? std::optional(*truth) : std::nullopt;
}

/// A whole number, also one that is written as text, as protobuf's JSON writes those of 64 bits.
inline std::optional<std::int64_t> integer_at(const boost::json::object* object, std::string_view key) {
    const auto* value = member(object, key);
    if (!value) return std::nullopt;
    if (const auto* text = value->if_string()) {
        std::int64_t number = 0;
        const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), number);
        if (failed != std::errc() || end != text->data() + text->size()) return std::nullopt;
        return number;
    }
    boost::json::error_code failed;
    if (!value->is_number()) return std::nullopt;
    const auto number = value->to_number<std::int64_t>(failed);
    return failed ? std::nullopt : std::optional(number);
}

/// 1 to 65535.
inline std::optional<std::uint16_t> port_at(const boost::json::object* object, std::string_view key) {
    const auto number = integer_at(object, key);
    if (!number || *number < 1 || *number > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

/// A weight that is none counts as 1: a stranger's mistake takes no instance away.
inline double valid_weight(double weight) { return std::isfinite(weight) && weight > 0 ? weight : 1; }

inline double weight_at(const boost::json::object* object, std::string_view key) {
    const auto* value = member(object, key);
    return value && value->is_number() ? valid_weight(value->to_number<double>()) : 1;
}

} // namespace flotilla
