#pragma once

#include <string>

#include <flotilla/base/time.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// What tells two states of a resource apart (RFC 9110 §8.8).
struct Validators {
    std::string etag;        ///< as in the field: quoted, after `W/` when it is weak
    Timestamp last_modified; ///< whole seconds
};

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
