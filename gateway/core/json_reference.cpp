#include "gateway/core/json_reference.hpp"

#include <algorithm>

#include <flotilla/base/json.hpp>

#include "gateway/core/yaml_reader.hpp"

namespace flotilla::gateway {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

void skip_blanks(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size())); }

/// Cuts one value off the front of valid JSON.
std::string_view take_value(std::string_view& text) {
    std::size_t end = 0;
    int depth = 0;
    bool quoted = false;
    for (; end < text.size(); ++end) {
        const char c = text[end];
        if (quoted) {
            if (c == '\\') ++end;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ':')) {
            break;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    auto value = text.substr(0, end);
    text.remove_prefix(end);
    value.remove_suffix(value.size() - 1 - value.find_last_not_of(kBlanks));
    return value;
}

bool is_named(std::string_view quoted, std::string_view name) {
    if (quoted.find('\\') == std::string_view::npos) return quoted.substr(1, quoted.size() - 2) == name;
    const auto decoded = json::parse<std::string>(quoted);
    return decoded && *decoded == name;
}

} // namespace

std::optional<std::string_view> member_of(std::string_view json, std::string_view name) {
    skip_blanks(json);
    if (!json.starts_with('{')) return std::nullopt;
    json.remove_prefix(1);
    for (skip_blanks(json); json.starts_with('"'); skip_blanks(json)) {
        const auto key = take_value(json);
        json.remove_prefix(1); // ':'
        skip_blanks(json);
        const auto value = take_value(json);
        if (is_named(key, name)) return value;
        json.remove_prefix(1); // ',' or '}'
    }
    return std::nullopt;
}

Result<JsonReference> JsonReference::parse(std::string_view text, std::span<const std::string> sources) {
    JsonReference reference;
    const std::string whole(text);
    reference.optional_ = text.ends_with('?');
    if (reference.optional_) text.remove_suffix(1);
    reference.name_ = text.substr(0, text.find('.'));
    const auto source = std::ranges::find(sources, reference.name_);
    if (reference.name_.empty() || source == sources.end()) {
        std::vector<std::string_view> known;
        for (const auto& each : sources)
            if (!each.empty()) known.push_back(each);
        return Error(Kind::invalid, "invalid_template",
                     "there is nothing before it for '{" + whole + "}'" +
                         (known.empty() ? "" : suggestion(reference.name_, known)));
    }
    reference.source_ = static_cast<std::size_t>(source - sources.begin());
    for (auto rest = text.substr(reference.name_.size()); !rest.empty();) {
        rest.remove_prefix(1); // '.'
        const auto end = std::min(rest.find('.'), rest.size());
        if (end == 0) return Error(Kind::invalid, "invalid_template", "there is an empty name in '{" + whole + "}'");
        reference.members_.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end);
    }
    return reference;
}

Error JsonReference::wrong(std::string what) const {
    std::string path;
    for (const auto& member : members_)
        path += (path.empty() ? "" : ".") + member;
    if (source_ == kClientBody) return json::invalid_request({{std::move(path), std::move(what)}});
    return Error(Kind::bad_gateway, "upstream_failed",
                 "an answer does not serve: '" + path + "' of '" + name_ + "' " + std::move(what));
}

Result<std::string_view> JsonReference::find(Documents documents) const {
    auto value = documents[source_];
    if (value.empty()) return wrong("is required");
    for (const auto& member : members_) {
        const auto found = member_of(value, member);
        if (!found) return wrong("is required");
        value = *found;
    }
    return value;
}

Result<std::string> JsonReference::text(Documents documents) const {
    const auto value = find(documents);
    if (!value) return value.error();
    if (value->starts_with('"')) return json::parse<std::string>(*value);
    if (value->starts_with('{') || value->starts_with('[') || *value == "null")
        return wrong("must be a text, a number or a boolean");
    return std::string(*value);
}

} // namespace flotilla::gateway
