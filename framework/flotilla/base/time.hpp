#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

/// A point in wall-clock time, UTC, microseconds since the Unix epoch. JSON: RFC 3339 with `Z` and milliseconds,
/// rounded down, e.g. "2026-01-31T08:00:00.123Z"; text: microseconds also, when they are not zero. SQL: BIGINT.
class Timestamp {
public:
    constexpr Timestamp() = default;
    constexpr explicit Timestamp(std::int64_t microseconds) : microseconds_(microseconds) {}

    constexpr std::int64_t microseconds() const { return microseconds_; }
    constexpr std::int64_t milliseconds() const { return microseconds_ / 1000; }
    std::string to_string() const;
    /// Accepts RFC 3339 with any offset and up to nine fractional digits; what is beyond microseconds is cut off.
    static Result<Timestamp> parse(std::string_view text);
    /// The date for HTTP headers (RFC 9110 IMF-fixdate) and for mail (RFC 5322).
    std::string to_http_date() const;
    std::string to_mail_date() const;
    /// Reads the three forms of a date in HTTP headers (RFC 9110 §5.6.7). A year of two digits is the last one that is
    /// at most 50 years after `now`.
    static Result<Timestamp> parse_http_date(std::string_view text, Timestamp now);

    constexpr Timestamp operator+(Duration d) const { return Timestamp(microseconds_ + d.count() / 1000); }
    constexpr Timestamp operator-(Duration d) const { return Timestamp(microseconds_ - d.count() / 1000); }
    constexpr Duration operator-(Timestamp other) const {
        return Duration((microseconds_ - other.microseconds_) * 1000);
    }
    constexpr auto operator<=>(const Timestamp&) const = default;

private:
    std::int64_t microseconds_ = 0;
};

/// "250ms", "1.5s", "2m", "1h" (also ns, us, d) to a Duration and back. For configuration and log lines.
Result<Duration> parse_duration(std::string_view text);
std::string to_string(Duration duration);

} // namespace flotilla
