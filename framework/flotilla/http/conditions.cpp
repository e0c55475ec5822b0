#include <flotilla/http/conditions.hpp>

#include <algorithm>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

/// Cuts a tag off the front; nothing when there is none.
std::optional<EntityTag> take_tag(std::string_view& text) {
    EntityTag tag{.weak = text.starts_with("W/")};
    const auto rest = text.substr(tag.weak ? 2 : 0);
    if (!rest.starts_with('"')) return std::nullopt;
    const auto end = rest.find('"', 1);
    if (end == std::string_view::npos) return std::nullopt;
    tag.opaque = rest.substr(0, end + 1);
    text = rest.substr(end + 1);
    return tag;
}

EntityTag tag_of(const Validators& current) {
    std::string_view text = current.etag;
    return take_tag(text).value_or(EntityTag{});
}

auto is_strongly(EntityTag current) {
    return [current](const EntityTag& tag) { return !tag.weak && !current.weak && tag.opaque == current.opaque; };
}
auto is_weakly(EntityTag current) {
    return [current](const EntityTag& tag) { return tag.opaque == current.opaque; };
}

/// Whether one line of tags is "*", or has one that fits. What follows something malformed is ignored.
template <class Fits>
bool line_matches(std::string_view line, const Fits& fits) {
    line = trim(line);
    if (line == "*") return true;
    while (!line.empty()) {
        const auto tag = take_tag(line);
        if (!tag) return false;
        if (fits(*tag)) return true;
        line = trim(line);
        if (!line.empty() && !line.starts_with(',')) return false;
        while (line.starts_with(','))
            line = trim(line.substr(1));
    }
    return false;
}

/// Nothing without the field; else whether one of its lines matches.
template <class Fits>
std::optional<bool> matches(const Headers& headers, std::string_view name, const Fits& fits) {
    std::optional<bool> matched;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (!equal_ignoring_case(headers[i].name, name)) continue;
        matched = matched.value_or(false) || line_matches(headers[i].value, fits);
    }
    return matched;
}

/// Most requests have none of the fields.
bool has_conditions(const Headers& headers) {
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto name = headers[i].name;
        if (name.size() > 3 && (name[0] | 0x20) == 'i' && (name[1] | 0x20) == 'f' && name[2] == '-') return true;
    }
    return false;
}

/// The value of a field that may come once.
std::optional<std::string_view> single(const Headers& headers, std::string_view name) {
    std::optional<std::string_view> found;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (!equal_ignoring_case(headers[i].name, name)) continue;
        if (found) return std::nullopt;
        found = headers[i].value;
    }
    return found;
}

std::optional<Timestamp> date(const Headers& headers, std::string_view name, Timestamp now) {
    const auto text = single(headers, name);
    if (!text) return std::nullopt;
    auto parsed = Timestamp::parse_http_date(*text, now);
    return parsed ? std::optional(*parsed) : std::nullopt;
}

} // namespace

std::optional<EntityTags> entity_tags(const Headers& headers, std::string_view name) {
    EntityTags found;
    const auto any = matches(headers, name, [&found](const EntityTag& tag) {
        found.tags.push_back(tag);
        return false;
    });
    if (!any) return std::nullopt;
    found.any = *any;
    return found;
}

Condition check_conditions(const Headers& headers, const Validators& current, Timestamp now) {
    if (!has_conditions(headers)) return Condition::proceed;
    const auto& modified = current.last_modified;
    if (const auto matched = matches(headers, "if-match", is_strongly(tag_of(current)))) {
        if (!*matched) return Condition::failed;
    } else if (const auto since = date(headers, "if-unmodified-since", now); since && modified) {
        if (*modified > *since) return Condition::failed;
    }
    if (const auto matched = matches(headers, "if-none-match", is_weakly(tag_of(current))))
        return *matched ? Condition::not_modified : Condition::proceed;
    const auto since = date(headers, "if-modified-since", now);
    return since && modified && *modified <= *since ? Condition::not_modified : Condition::proceed;
}

bool range_counts(const Headers& headers, const Validators& current, Timestamp now) {
    if (!headers.has("if-range")) return true;
    auto text = single(headers, "if-range").value_or("");
    if (const auto tag = take_tag(text)) return text.empty() && is_strongly(tag_of(current))(*tag);
    const auto since = date(headers, "if-range", now);
    return since && !tag_of(current).weak && *since == current.last_modified;
}

} // namespace flotilla::http
