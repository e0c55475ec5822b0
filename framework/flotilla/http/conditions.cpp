#include <flotilla/http/conditions.hpp>

#include <algorithm>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

/// An entity-tag (RFC 9110 §8.8.3).
struct Tag {
    bool weak = false;
    std::string_view opaque; ///< with its quotes
};

/// Cuts a tag off the front; nothing when there is none.
std::optional<Tag> take_tag(std::string_view& text) {
    Tag tag{.weak = text.starts_with("W/")};
    const auto rest = text.substr(tag.weak ? 2 : 0);
    if (!rest.starts_with('"')) return std::nullopt;
    const auto end = rest.find('"', 1);
    if (end == std::string_view::npos) return std::nullopt;
    tag.opaque = rest.substr(0, end + 1);
    text = rest.substr(end + 1);
    return tag;
}

bool same_strongly(const Tag& a, const Tag& b) { return !a.weak && !b.weak && a.opaque == b.opaque; }
bool same_weakly(const Tag& a, const Tag& b) { return a.opaque == b.opaque; }

Tag tag_of(const Validators& current) {
    std::string_view text = current.etag;
    return take_tag(text).value_or(Tag{});
}

/// Whether one line of tags, or "*", has one that matches. What follows something malformed is ignored.
template <class Same>
bool line_matches(std::string_view line, const Tag& current, Same same) {
    line = trim(line);
    if (line == "*") return true;
    while (!line.empty()) {
        const auto tag = take_tag(line);
        if (!tag) return false;
        if (same(*tag, current)) return true;
        line = trim(line);
        if (!line.empty() && !line.starts_with(',')) return false;
        while (line.starts_with(','))
            line = trim(line.substr(1));
    }
    return false;
}

/// Nothing without the field; else whether one of its lines matches.
template <class Same>
std::optional<bool> matches(const Headers& headers, std::string_view name, const Validators& current, Same same) {
    std::optional<bool> matched;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (!equal_ignoring_case(headers[i].name, name)) continue;
        matched = matched.value_or(false) || line_matches(headers[i].value, tag_of(current), same);
    }
    return matched;
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

Condition check_conditions(const Headers& headers, const Validators& current, Timestamp now) {
    if (const auto matched = matches(headers, "if-match", current, same_strongly)) {
        if (!*matched) return Condition::failed;
    } else if (const auto since = date(headers, "if-unmodified-since", now)) {
        if (current.last_modified > *since) return Condition::failed;
    }
    if (const auto matched = matches(headers, "if-none-match", current, same_weakly))
        return *matched ? Condition::not_modified : Condition::proceed;
    const auto since = date(headers, "if-modified-since", now);
    return since && current.last_modified <= *since ? Condition::not_modified : Condition::proceed;
}

bool range_counts(const Headers& headers, const Validators& current, Timestamp now) {
    if (!headers.has("if-range")) return true;
    auto text = single(headers, "if-range").value_or("");
    if (const auto tag = take_tag(text)) return text.empty() && same_strongly(*tag, tag_of(current));
    const auto since = date(headers, "if-range", now);
    return since && !tag_of(current).weak && *since == current.last_modified;
}

} // namespace flotilla::http
