#include <flotilla/base/time.hpp>

#include <chrono>

#include <gtest/gtest.h>

namespace flotilla::time_test {
namespace {

using namespace std::chrono_literals;

std::int64_t microseconds_of(std::string_view text) { return Timestamp::parse(text).value().microseconds(); }

// Goal: known instants are read right.
TEST(Timestamp, ParseKnownInstants) {
    EXPECT_EQ(microseconds_of("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(microseconds_of("2026-01-31T08:00:00.123Z"), 1'769'846'400'123'000);
    EXPECT_EQ(microseconds_of("1969-12-31T23:59:59.999999Z"), -1);
    EXPECT_EQ(microseconds_of("2000-02-29T12:00:00Z"), 951'825'600'000'000);
    EXPECT_EQ(microseconds_of("0000-01-01T00:00:00Z"), -62'167'219'200'000'000);
    EXPECT_EQ(microseconds_of("9999-12-31T23:59:59.999999Z"), 253'402'300'799'999'999);
}

// Goal: offsets, lower-case letters and fractions of every length mean what RFC 3339 says.
TEST(Timestamp, ParseOffsetsAndFractions) {
    const auto noon = microseconds_of("2026-01-31T12:00:00Z");
    EXPECT_EQ(microseconds_of("2026-01-31T14:00:00+02:00"), noon);
    EXPECT_EQ(microseconds_of("2026-01-31T06:30:00-05:30"), noon);
    EXPECT_EQ(microseconds_of("2026-01-31T12:00:00-00:00"), noon);
    EXPECT_EQ(microseconds_of("2026-02-01T11:59:00+23:59"), noon);
    EXPECT_EQ(microseconds_of("2026-01-31t12:00:00z"), noon);
    EXPECT_EQ(microseconds_of("2026-01-31T12:00:00.5Z"), noon + 500'000);
    EXPECT_EQ(microseconds_of("2026-01-31T12:00:00.000001Z"), noon + 1);
    EXPECT_EQ(microseconds_of("2026-01-31T12:00:00.123456000Z"), noon + 123'456);
}

// Goal: a leap second, which RFC 3339 can write, is the instant that Unix time makes of it.
TEST(Timestamp, ParseLeapSecondIsTheNextSecond) {
    const auto midnight = microseconds_of("2017-01-01T00:00:00Z");
    EXPECT_EQ(microseconds_of("2016-12-31T23:59:60Z"), midnight);
    EXPECT_EQ(microseconds_of("2017-01-01T00:59:60.5+01:00"), midnight + 500'000);
    EXPECT_EQ(Timestamp::parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", Timestamp()).value().microseconds(),
              midnight);
}

// Goal: what Go (RFC3339Nano, which leaves zeros at the end away) and Java (Instant, OffsetDateTime) write is read, to
// the microsecond; nothing is rounded into the future.
TEST(Timestamp, ParseNanosecondsKeepsMicroseconds) {
    const auto noon = microseconds_of("2026-01-31T12:00:00Z");
    EXPECT_EQ(microseconds_of("2026-01-31T12:00:00.123456789Z"), noon + 123'456);
    EXPECT_EQ(microseconds_of("2026-01-31T12:00:00.1234567Z"), noon + 123'456);
    EXPECT_EQ(microseconds_of("2026-01-31T14:00:00.12345678+02:00"), noon + 123'456);
    EXPECT_EQ(microseconds_of("2026-01-31T12:00:00.000000999Z"), noon);
    EXPECT_EQ(microseconds_of("2026-01-31T11:59:59.999999999Z"), noon - 1);
    EXPECT_EQ(microseconds_of("1969-12-31T23:59:59.999999999Z"), -1);
}

// Goal: the three forms of HTTP's dates mean the same instant, and what to_http_date() writes is read back.
TEST(Timestamp, HttpDateIsReadInEachForm) {
    const Timestamp now(microseconds_of("2026-01-31T12:00:00Z"));
    const auto read = [&](std::string_view text) { return Timestamp::parse_http_date(text, now).value().to_string(); };
    const std::string want = "1994-11-06T08:49:37.000Z";
    EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:37 GMT"), want);
    EXPECT_EQ(read("Sunday, 06-Nov-94 08:49:37 GMT"), want);
    EXPECT_EQ(read("Sun Nov  6 08:49:37 1994"), want);
    EXPECT_EQ(read("Wed Nov 16 08:49:37 1994"), "1994-11-16T08:49:37.000Z");
    EXPECT_EQ(read("Wednesday, 06-Nov-75 08:49:37 GMT"), "2075-11-06T08:49:37.000Z");
    EXPECT_EQ(read("Saturday, 06-Nov-77 08:49:37 GMT"), "1977-11-06T08:49:37.000Z");
    EXPECT_EQ(read(now.to_http_date()), now.to_string());
}

// Goal: what is no date of HTTP is refused.
TEST(Timestamp, HttpDateRefusesOtherForms) {
    for (const auto* text :
         {"", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
          "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
          "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
          "Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Xyz 1994 08:49:37 GMT", "Sundae, 06-Nov-94 08:49:37 GMT",
          "Sun Nov 06 08:49:37 94", "2026-01-31T12:00:00Z"})
        EXPECT_FALSE(Timestamp::parse_http_date(text, Timestamp())) << text;
}

// Goal: nothing is guessed: every other form and every date that does not exist is refused.
TEST(Timestamp, ParseRefusesOtherForms) {
    for (const auto* text : {"",
                             "2026-01-31",
                             "2026-01-31T08:00:00",
                             "2026-01-31 08:00:00Z",
                             "2026-01-31T08:00Z",
                             "2026-1-31T08:00:00Z",
                             "2026-02-29T08:00:00Z",
                             "2100-02-29T08:00:00Z",
                             "2026-04-31T08:00:00Z",
                             "2026-13-01T08:00:00Z",
                             "2026-00-01T08:00:00Z",
                             "2026-01-00T08:00:00Z",
                             "2026-01-31T24:00:00Z",
                             "2026-01-31T08:60:00Z",
                             "2016-12-31T23:58:60Z",
                             "2016-12-31T23:59:60+01:00",
                             "2016-12-31T23:59:61Z",
                             "2026-01-31T08:00:00.Z",
                             "2026-01-31T08:00:00.1234567890Z",
                             "2026-01-31T08:00:00.1234560001Z",
                             "2026-01-31T08:00:00+24:00",
                             "2026-01-31T08:00:00+01:60",
                             "2026-01-31T08:00:00+0100",
                             "2026-01-31T08:00:00Zx",
                             " 2026-01-31T08:00:00Z",
                             "+2026-01-31T08:00:00Z",
                             "0000-01-01T00:00:00+00:01",
                             "9999-12-31T23:59:59-00:01"}) {
        auto time = Timestamp::parse(text);
        ASSERT_FALSE(time) << text;
        EXPECT_EQ(time.error().message(),
                  "expected a time like \"2026-01-31T08:00:00Z\", found \"" + std::string(text) + "\"");
    }
}

// Goal: milliseconds are always written, microseconds only when there are some; what is written reads back.
TEST(Timestamp, ToStringRoundTrips) {
    EXPECT_EQ(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(Timestamp(1'769'846'400'123'000).to_string(), "2026-01-31T08:00:00.123Z");
    EXPECT_EQ(Timestamp(1'769'846'400'123'456).to_string(), "2026-01-31T08:00:00.123456Z");
    EXPECT_EQ(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    for (std::int64_t t = -62'167'219'200'000'000; t < 253'402'300'799'999'999; t += 987'654'321'987'654) {
        EXPECT_EQ(microseconds_of(Timestamp(t).to_string()), t);
    }
}

// Goal: times beyond the calendar's usual years are still written, without overflow.
TEST(Timestamp, ToStringBeyondFourDigitYears) {
    EXPECT_EQ(Timestamp(253'402'300'800'000'000).to_string(), "10000-01-01T00:00:00.000000Z");
    EXPECT_EQ(Timestamp(std::numeric_limits<std::int64_t>::max()).to_string(), "294247-01-10T04:00:54.775807Z");
    EXPECT_EQ(Timestamp(std::numeric_limits<std::int64_t>::min()).to_string(), "-290308-12-21T19:59:05.224192Z");
}

// Goal: the dates of HTTP and of mail are those of RFC 9110 and RFC 5322.
TEST(Timestamp, DatesForHttpAndMail) {
    const auto time = Timestamp::parse("1994-11-06T08:49:37Z").value();
    EXPECT_EQ(time.to_http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(time.to_mail_date(), "Sun, 06 Nov 1994 08:49:37 +0000");
}

// Goal: times and spans add up.
TEST(Timestamp, ArithmeticWithDurations) {
    const Timestamp start(1'000'000);
    EXPECT_EQ((start + 1500ms).microseconds(), 2'500'000);
    EXPECT_EQ((start - 1s).microseconds(), 0);
    EXPECT_EQ((start + 2s) - start, Duration(2s));
    EXPECT_LT(start, start + 1us);
}

} // namespace
} // namespace flotilla::time_test
