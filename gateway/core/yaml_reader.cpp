#include "gateway/core/yaml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <flotilla/base/json_value.hpp>
#include <flotilla/base/nearest_name.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla::gateway {
namespace {

constexpr int kLevelsMax = 16;

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string listed(std::span<const std::string_view> names) {
    std::string text;
    for (const auto name : names)
        text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

} // namespace

std::string suggestion(std::string_view wrong, std::span<const std::string_view> candidates) {
    const auto near = did_you_mean(wrong, candidates);
    return near.empty() ? "; expected one of: " + listed(candidates) : near;
}

Location YamlReader::where(const YAML::Node& node) const { return {file_, std::max(node.Mark().line, 0) + 1}; }

void YamlReader::fail(const YAML::Node& node, std::string message) {
    problems_.push_back(where(node).to_string() + ": " + std::move(message));
}

void YamlReader::named(const YAML::Node& node, std::string_view what,
                       const std::function<void(const std::string&, const YAML::Node&)>& visit) {
    if (!node.IsMap()) {
        fail(node, std::string(what) + " must be a map");
        return;
    }
    std::vector<std::string> seen;
    for (const auto& entry : node) {
        if (!entry.first.IsScalar()) {
            fail(entry.first, "a key of " + std::string(what) + " must be a name");
            continue;
        }
        const auto& key = entry.first.Scalar();
        if (std::ranges::find(seen, key) != seen.end()) {
            fail(entry.first, quoted(key) + " is given twice in " + std::string(what));
            continue;
        }
        seen.push_back(key);
        visit(key, entry.second);
    }
}

void YamlReader::map(const YAML::Node& node, std::string_view what, const std::vector<Member>& members) {
    std::vector<std::string_view> keys;
    for (const auto& member : members)
        keys.push_back(member.key);
    if (!node.IsMap()) {
        fail(node, std::string(what) + " must be a map with the keys " + listed(keys));
        return;
    }
    const auto find = [&](std::string_view key) { return std::ranges::find(members, key, &Member::key); };
    for (const auto& entry : node) {
        if (entry.first.IsScalar() && find(entry.first.Scalar()) == members.end()) {
            fail(entry.first, "unknown key " + quoted(entry.first.Scalar()) + " in " + std::string(what) +
                                  suggestion(entry.first.Scalar(), keys));
        }
    }
    named(node, what, [&](const std::string& key, const YAML::Node& value) {
        if (const auto member = find(key); member != members.end()) member->read(value);
    });
}

void YamlReader::list(const YAML::Node& node, std::string_view what,
                      const std::function<void(const YAML::Node&)>& visit) {
    if (!node.IsSequence()) {
        fail(node, std::string(what) + " must be a list");
        return;
    }
    for (const auto& item : node)
        visit(item);
}

std::vector<std::string> YamlReader::texts(const YAML::Node& node, std::string_view what) {
    std::vector<std::string> found;
    if (node.IsSequence()) {
        if (node.size() == 0) fail(node, std::string(what) + " must not be an empty list");
        for (const auto& item : node)
            found.push_back(text(item, what));
    } else {
        found.push_back(text(node, what));
    }
    std::erase(found, "");
    return found;
}

std::string YamlReader::text(const YAML::Node& node, std::string_view what) {
    if (!node.IsScalar() || node.Scalar().empty()) {
        fail(node, std::string(what) + " must be a text");
        return {};
    }
    return node.Scalar();
}

std::optional<bool> YamlReader::boolean(const YAML::Node& node, std::string_view what) {
    if (node.IsScalar() && node.Scalar() == "true") return true;
    if (node.IsScalar() && node.Scalar() == "false") return false;
    fail(node, std::string(what) + " must be true or false");
    return std::nullopt;
}

std::optional<std::uint64_t> YamlReader::number(const YAML::Node& node, std::string_view what, std::uint64_t min,
                                                std::uint64_t max) {
    std::uint64_t value = 0;
    const std::string& digits = node.IsScalar() ? node.Scalar() : std::string();
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size() && value >= min && value <= max) return value;
    fail(node, std::string(what) + " must be a whole number from " + std::to_string(min) + " to " +
                   std::to_string(max) + (node.IsScalar() ? ", found " + quoted(node.Scalar()) : ""));
    return std::nullopt;
}

std::optional<Duration> YamlReader::duration(const YAML::Node& node, std::string_view what,
                                             std::string_view alternative) {
    if (node.IsScalar()) {
        auto parsed = parse_duration(node.Scalar());
        if (parsed && *parsed > Duration::zero()) return *parsed;
    }
    fail(node, std::string(what) + " must be a time above zero such as 500ms, 10s or 2m" + std::string(alternative) +
                   (node.IsScalar() ? ", found " + quoted(node.Scalar()) : ""));
    return std::nullopt;
}

boost::json::value YamlReader::json(const YAML::Node& node, std::string_view what, int depth) {
    if (depth > kLevelsMax) {
        if (!std::exchange(too_deep_, true)) fail(node, std::string(what) + " has more than 16 levels");
        return nullptr;
    }
    if (node.IsMap()) {
        boost::json::object object;
        named(node, what, [&](const std::string& key, const YAML::Node& value) {
            object[key] = too_deep_ ? nullptr : json(value, what, depth + 1);
        });
        return object;
    }
    if (node.IsSequence()) {
        boost::json::array array;
        list(node, what,
             [&](const YAML::Node& item) { array.push_back(too_deep_ ? nullptr : json(item, what, depth + 1)); });
        return array;
    }
    if (node.IsNull()) return nullptr;
    const auto& text = node.Scalar();
    const bool is_text = node.Tag() == "!";
    if (auto value = json::parse_value(text); value && !is_text) return std::move(*value);
    return boost::json::string(text);
}

} // namespace flotilla::gateway
