#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/time.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// What tells two states of a resource apart (RFC 9110 §8.8).
struct Validators {
    std::string etag; ///< as in the field: quoted, after `W/` when it is weak
    /// Whole seconds; absent: conditions by date do not count (RFC 9110 §13.1.3, §13.1.4).
    std::optional<Timestamp> last_modified = {};
};

/// An entity-tag (RFC 9110 §8.8.3).
struct EntityTag {
    bool weak = false;
    std::string_view opaque = {}; ///< with its quotes
};

/// What If-Match or If-None-Match lists.
struct EntityTags {
    bool any = false; ///< "*"
    std::vector<EntityTag> tags = {};
};

/// The tags of such a field on all its lines, views into them; nothing without the field. What follows something
/// malformed is ignored.
std::optional<EntityTags> entity_tags(const Headers& headers, std::string_view name);

enum class Condition : unsigned char {
    proceed,
    not_modified, ///< 304
    failed,       ///< 412
};

/// What If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since say about a GET or HEAD, in the order of
/// RFC 9110 §13.2.2. Dates that are none, or repeated, are ignored. now: dates' two-digit years are near it.
Condition check_conditions(const Headers& headers, const Validators& current, Timestamp now);

/// True when If-Range lets the Range field count, or is not there. Tags compare strongly (RFC 9110 §13.1.5); a date
/// counts only beside a strong tag, so that nobody joins parts of two states that share a second.
bool range_counts(const Headers& headers, const Validators& current, Timestamp now);

} // namespace flotilla::http
