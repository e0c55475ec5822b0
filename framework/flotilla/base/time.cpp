#include <flotilla/base/time.hpp>

#include <array>
#include <chrono>

#include <fmt/format.h>

#include <flotilla/base/text.hpp>

namespace flotilla {
namespace {

using std::chrono::sys_days;

constexpr std::int64_t kSecond = 1'000'000; ///< in microseconds
constexpr std::int64_t kDay = 86'400 * kSecond;
constexpr std::array<std::string_view, 7> kWeekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kWeekdayEnds{"day", "day", "sday", "nesday", "rsday", "day", "urday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Civil {
    std::int64_t year;
    unsigned month, day, weekday;
    std::int64_t hour, minute, second, microsecond;
};

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// chrono's years end at 32767; the Gregorian calendar repeats every 400 years, so that others are moved into range.
Civil civil(Timestamp time) {
    constexpr std::int64_t kEraDays = 146'097;
    const auto days = floor_divide(time.microseconds(), kDay);
    const auto rest = (time.microseconds() % kDay + kDay) % kDay;
    const auto era = floor_divide(days, kEraDays);
    const sys_days day{std::chrono::days(days - era * kEraDays)};
    const std::chrono::year_month_day date{day};
    return {int{date.year()} + era * 400, unsigned{date.month()},
            unsigned{date.day()},         std::chrono::weekday{day}.c_encoding(),
            rest / (3600 * kSecond),      rest / (60 * kSecond) % 60,
            rest / kSecond % 60,          rest % kSecond};
}

/// Reads a text from left to right; once something did not match, nothing does.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    /// Exactly `count` digits.
    int digits(std::size_t count) {
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const char c = peek();
            if (c < '0' || c > '9') return fail();
            value = value * 10 + (c - '0');
            ++at_;
        }
        return value;
    }
    /// One of two characters; returns whether it was the first.
    bool either(char first, char second) {
        const char c = peek();
        if (c != first && c != second) fail();
        ++at_;
        return c == first;
    }
    void expect(char c) { either(c, c); }
    void expect(std::string_view word) {
        for (const char c : word)
            expect(c);
    }
    /// One of the names; its index.
    template <std::size_t count>
    std::size_t one_of(const std::array<std::string_view, count>& names) {
        for (std::size_t i = 0; i < count; ++i) {
            if (!ok_ || !text_.substr(at_).starts_with(names[i])) continue;
            at_ += names[i].size();
            return i;
        }
        fail();
        return 0;
    }
    char peek() const { return ok_ && at_ < text_.size() ? text_[at_] : '\0'; }
    bool done() const { return ok_ && at_ == text_.size(); }
    int fail() {
        ok_ = false;
        return 0;
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

/// ".123456789" to microseconds; up to nine digits.
std::int64_t scan_fraction(Scanner& scan) {
    if (scan.peek() != '.') return 0;
    scan.expect('.');
    std::int64_t nanoseconds = 0, unit = 100'000'000;
    do {
        nanoseconds += scan.digits(1) * unit;
        unit /= 10;
    } while (unit > 0 && scan.peek() >= '0' && scan.peek() <= '9');
    return nanoseconds / 1000; // cut, as Go and Java do: never a time that has not come yet
}

/// "Z" or "+01:30", in microseconds east of UTC.
std::int64_t scan_offset(Scanner& scan) {
    if (scan.peek() == 'Z' || scan.peek() == 'z') {
        scan.either('Z', 'z');
        return 0;
    }
    const bool east = scan.either('+', '-');
    const auto hours = scan.digits(2);
    scan.expect(':');
    const auto minutes = scan.digits(2);
    if (hours > 23 || minutes > 59) scan.fail();
    return (east ? 1 : -1) * (hours * 60 + minutes) * 60 * kSecond;
}

/// "08:49:37", in seconds. A leap second, 60, is what Unix time makes of it: the first second of the next day.
std::int64_t scan_time_of_day(Scanner& scan, bool& leap) {
    const auto hour = scan.digits(2);
    scan.expect(':');
    const auto minute = scan.digits(2);
    scan.expect(':');
    const auto second = scan.digits(2);
    leap = second == 60;
    if (hour > 23 || minute > 59 || second > 60) scan.fail();
    return (hour * 60 + minute) * 60 + second;
}

/// Leap seconds end a day in UTC (RFC 3339 §5.7).
bool may_be_leap(Timestamp time) {
    const auto since_midnight = time.microseconds() - floor_divide(time.microseconds(), kDay) * kDay;
    return since_midnight < kSecond;
}

std::string day_and_time(Timestamp time) {
    const auto c = civil(time);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02}", kWeekdays[c.weekday], c.day, kMonths[c.month - 1],
                       c.year, c.hour, c.minute, c.second);
}

void put_digits(char* at, std::int64_t value, int count) {
    while (count-- > 0) {
        at[count] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
}

/// A time whose year has not four digits: not RFC 3339, for logs only.
std::string far_time(const Civil& c) {
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", c.year, c.month, c.day, c.hour, c.minute, c.second,
                       c.microsecond);
}

Error bad_http_date(std::string_view text) {
    return Error(Kind::invalid, "invalid_time",
                 fmt::format("expected a date like \"Sun, 06 Nov 1994 08:49:37 GMT\", found \"{}\"", shortened(text)));
}

Error bad_time(std::string_view text) {
    return Error(Kind::invalid, "invalid_time",
                 fmt::format("expected a time like \"2026-01-31T08:00:00Z\", found \"{}\"", shortened(text)));
}

} // namespace

// Every JSON time passes here: digits are placed by hand, ten times as fast as by format strings.
std::string Timestamp::to_string() const {
    const auto c = civil(*this);
    if (c.year < 0 || c.year > 9999) return far_time(c);
    const bool whole_milliseconds = c.microsecond % 1000 == 0;
    std::string text = whole_milliseconds ? "0000-00-00T00:00:00.000Z" : "0000-00-00T00:00:00.000000Z";
    put_digits(&text[0], c.year, 4);
    put_digits(&text[5], c.month, 2);
    put_digits(&text[8], c.day, 2);
    put_digits(&text[11], c.hour, 2);
    put_digits(&text[14], c.minute, 2);
    put_digits(&text[17], c.second, 2);
    if (whole_milliseconds)
        put_digits(&text[20], c.microsecond / 1000, 3);
    else
        put_digits(&text[20], c.microsecond, 6);
    return text;
}

Result<Timestamp> Timestamp::parse(std::string_view text) {
    Scanner scan(text);
    const auto year = scan.digits(4);
    scan.expect('-');
    const auto month = static_cast<unsigned>(scan.digits(2));
    scan.expect('-');
    const auto day = static_cast<unsigned>(scan.digits(2));
    scan.either('T', 't');
    bool leap = false;
    const auto time_of_day = scan_time_of_day(scan, leap);
    const auto fraction = scan_fraction(scan);
    const auto offset = scan_offset(scan);
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if (!scan.done() || !date.ok()) return bad_time(text);

    const std::int64_t days = sys_days{date}.time_since_epoch().count();
    const Timestamp time(days * kDay + time_of_day * kSecond + fraction - offset);
    const auto utc_year = civil(time).year; // an offset may lead out of the years that RFC 3339 can write
    if (utc_year < 0 || utc_year > 9999 || (leap && !may_be_leap(time))) return bad_time(text);
    return time;
}

std::string Timestamp::to_http_date() const { return day_and_time(*this) + " GMT"; }
std::string Timestamp::to_mail_date() const { return day_and_time(*this) + " +0000"; }

Result<Timestamp> Timestamp::parse_http_date(std::string_view text, Timestamp now) {
    Scanner scan(text);
    const auto weekday = scan.one_of(kWeekdays);
    std::int64_t time = 0;
    int year = 0, day = 0;
    std::size_t month = 0;
    bool short_year = false, leap = false;
    if (scan.peek() == ' ') { // Sun Nov  6 08:49:37 1994
        scan.expect(' ');
        month = scan.one_of(kMonths);
        scan.expect(' ');
        if (const bool one_digit = scan.peek() == ' '; one_digit) {
            scan.expect(' ');
            day = scan.digits(1);
        } else {
            day = scan.digits(2);
        }
        scan.expect(' ');
        time = scan_time_of_day(scan, leap);
        scan.expect(' ');
        year = scan.digits(4);
    } else { // Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT
        short_year = scan.peek() != ',';
        const char separator = short_year ? '-' : ' ';
        if (short_year) scan.expect(kWeekdayEnds[weekday]);
        scan.expect(", ");
        day = scan.digits(2);
        scan.expect(separator);
        month = scan.one_of(kMonths);
        scan.expect(separator);
        year = scan.digits(short_year ? 2 : 4);
        scan.expect(' ');
        time = scan_time_of_day(scan, leap);
        scan.expect(" GMT");
    }
    if (short_year) {
        const auto this_year = static_cast<int>(civil(now).year);
        year += this_year - this_year % 100;
        if (year > this_year + 50) year -= 100;
        if (year <= this_year - 50) year += 100;
    }
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month) + 1),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!scan.done() || !date.ok()) return bad_http_date(text);
    const Timestamp read(sys_days{date}.time_since_epoch().count() * kDay + time * kSecond);
    if (leap && !may_be_leap(read)) return bad_http_date(text);
    return read;
}

} // namespace flotilla
