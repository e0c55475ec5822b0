#include "hub/consul/json_fields.hpp"

#include <algorithm>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/json_value.hpp>

#include "hub/consul/go_duration.hpp"

namespace flotilla::hub::consul {
namespace {

/// Clocks can still add twice as much.
constexpr Duration kDurationMax = std::chrono::hours(24 * 365 * 100);

std::string normal(std::string_view name) {
    std::string result;
    for (const char c : name) {
        if (c == '_') continue;
        result += ascii_lower(c);
    }
    return result;
}

} // namespace

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

JsonFields::JsonFields(const boost::json::object& object) {
    for (const auto& [key, value] : object) {
        const std::string_view written{key.data(), key.size()};
        members_.insert_or_assign(normal(written), Member{written, &value});
    }
}

const boost::json::value* JsonFields::find(std::string_view name) {
    const auto found = members_.find(normal(name));
    if (found == members_.end()) return nullptr;
    found->second.asked_for = true;
    return found->second.value->is_null() ? nullptr : found->second.value;
}

void JsonFields::fail_to_decode(std::string why) {
    if (!error_) error_ = Error(Kind::invalid, "Request decode failed: " + std::move(why));
}

void JsonFields::fail(std::string_view name, std::string_view expected) {
    fail_to_decode("'" + std::string(name) + "' expected " + std::string(expected));
}

void JsonFields::finish() {
    const auto unknown = std::ranges::find_if(members_, [](const auto& each) { return !each.second.asked_for; });
    if (unknown != members_.end())
        fail_to_decode("json: unknown field \"" + std::string(unknown->second.written) + "\"");
}

bool JsonFields::is_set(std::string_view name) {
    const auto* value = find(name);
    if (!value) return false;
    switch (value->kind()) {
    case boost::json::kind::string:
        return !value->get_string().empty();
    case boost::json::kind::array:
        return !value->get_array().empty();
    case boost::json::kind::object:
        return !value->get_object().empty();
    default:
        return *value != boost::json::value(false) && *value != boost::json::value(0);
    }
}

std::string JsonFields::text(std::string_view name) {
    const auto* value = find(name);
    if (!value) return {};
    if (const auto* text = value->if_string()) return std::string(view(*text));
    fail(name, "a string");
    return {};
}

bool JsonFields::flag(std::string_view name) {
    const auto* value = find(name);
    if (!value) return false;
    if (const auto* flag = value->if_bool()) return *flag;
    fail(name, "true or false");
    return false;
}

std::optional<std::int64_t> JsonFields::number(std::string_view name) {
    const auto* value = find(name);
    if (!value) return std::nullopt;
    boost::json::error_code failed;
    if (value->is_number()) {
        const auto number = value->to_number<std::int64_t>(failed);
        if (!failed) return number;
    }
    fail(name, "a whole number");
    return std::nullopt;
}

std::uint64_t JsonFields::unsigned_number(std::string_view name) {
    const auto* value = find(name);
    if (!value) return 0;
    boost::json::error_code failed;
    if (value->is_number()) {
        const auto number = value->to_number<std::uint64_t>(failed);
        if (!failed) return number;
    }
    fail(name, "a whole number from 0");
    return 0;
}

Duration JsonFields::duration(std::string_view name) {
    const auto* value = find(name);
    if (!value) return {};
    Duration duration{};
    if (const auto* text = value->if_string()) {
        if (text->empty()) return {};
        const auto parsed = parse_go_duration(view(*text));
        if (!parsed) {
            fail_to_decode("time: invalid duration \"" + std::string(view(*text)) + "\"");
            return {};
        }
        duration = *parsed;
    } else {
        duration = Duration(number(name).value_or(0));
    }
    if (duration <= kDurationMax && duration >= -kDurationMax) return duration;
    fail(name, "a duration of at most 100 years");
    return {};
}

std::vector<std::string> JsonFields::texts(std::string_view name) {
    std::vector<std::string> result;
    const auto* list = array(name);
    if (!list) return result;
    for (const auto& each : *list) {
        const auto* text = each.if_string();
        if (!text) {
            fail(name, "a list of strings");
            return {};
        }
        result.emplace_back(view(*text));
    }
    return result;
}

std::map<std::string, std::string> JsonFields::text_map(std::string_view name) {
    std::map<std::string, std::string> result;
    const auto* members = object(name);
    if (!members) return result;
    for (const auto& [key, value] : *members) {
        const auto* text = value.if_string();
        if (!text) {
            fail(name, "an object of strings");
            return {};
        }
        result.emplace(std::string(key.data(), key.size()), view(*text));
    }
    return result;
}

const boost::json::object* JsonFields::object(std::string_view name) {
    const auto* value = find(name);
    if (!value) return nullptr;
    if (!value->is_object()) fail(name, "an object");
    return value->if_object();
}

const boost::json::array* JsonFields::array(std::string_view name) {
    const auto* value = find(name);
    if (!value) return nullptr;
    if (!value->is_array()) fail(name, "a list");
    return value->if_array();
}

Result<boost::json::value> parse_body(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return Error(Kind::invalid, "Request decode failed: EOF");
    auto body = json::parse_value(text);
    if (!body) return Error(Kind::invalid, "Request decode failed: " + body.error().message());
    return body;
}

Result<const boost::json::object*> as_object(const boost::json::value& body) {
    static const boost::json::object nothing;
    if (body.is_null()) return &nothing;
    if (const auto* object = body.if_object()) return object;
    return Error(Kind::invalid, "Request decode failed: expected an object");
}

} // namespace flotilla::hub::consul
