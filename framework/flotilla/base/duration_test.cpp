#include <flotilla/base/time.hpp>

#include <gtest/gtest.h>

namespace flotilla::duration_test {
namespace {

using namespace std::chrono_literals;

// Goal: every unit and exact fractions are understood.
TEST(Duration, ParseUnitsAndFractions) {
    EXPECT_EQ(parse_duration("250ms").value(), 250ms);
    EXPECT_EQ(parse_duration("1.5s").value(), 1500ms);
    EXPECT_EQ(parse_duration("2m").value(), 2min);
    EXPECT_EQ(parse_duration("1h").value(), 1h);
    EXPECT_EQ(parse_duration("7d").value(), 168h);
    EXPECT_EQ(parse_duration("3us").value(), 3us);
    EXPECT_EQ(parse_duration("9ns").value(), 9ns);
    EXPECT_EQ(parse_duration("1.25m").value(), 75s);
    EXPECT_EQ(parse_duration("0s").value(), 0s);
    EXPECT_EQ(parse_duration("0.000000001s").value(), 1ns);
    EXPECT_EQ(parse_duration("1.0ns").value(), 1ns);
}

// Goal: missing or unknown units, signs and lost precision are refused, with the found text in the message.
TEST(Duration, ParseRefusesOtherForms) {
    for (const auto* text :
         {"", "5", "s", "1.s", ".5s", "-1s", "+1s", "1 s", "1S", "1h30m", "1.2.3s", "0.5ns", "0.0000000001s", "1sec"}) {
        auto duration = parse_duration(text);
        ASSERT_FALSE(duration) << text;
        EXPECT_EQ(duration.error().message(),
                  "expected a duration like 250ms, 1.5s, 2m or 1h, found \"" + std::string(text) + "\"");
    }
}

// Goal: a span that 64 bits of nanoseconds cannot hold is refused.
TEST(Duration, ParseRefusesOverflow) {
    EXPECT_TRUE(parse_duration("106751d"));
    EXPECT_EQ(parse_duration("106752d").error().message(), "expected a duration below 292 years, found \"106752d\"");
    EXPECT_FALSE(parse_duration("99999999999999999999s"));
    EXPECT_FALSE(parse_duration("9223372036.9s"));
}

// Goal: the text is short, exact and reads back.
TEST(Duration, ToStringRoundTrips) {
    EXPECT_EQ(to_string(Duration(0)), "0s");
    EXPECT_EQ(to_string(250ms), "250ms");
    EXPECT_EQ(to_string(1500ms), "1.5s");
    EXPECT_EQ(to_string(90s), "90s");
    EXPECT_EQ(to_string(2min), "2m");
    EXPECT_EQ(to_string(36h), "36h");
    EXPECT_EQ(to_string(48h), "2d");
    EXPECT_EQ(to_string(1234567ns), "1.234567ms");
    EXPECT_EQ(to_string(1000000001ns), "1.000000001s");
    EXPECT_EQ(to_string(-1500ms), "-1.5s");
    for (const auto duration :
         {Duration(1), Duration(999), Duration(1001), Duration(61s), Duration(3601s), Duration::max()}) {
        EXPECT_EQ(parse_duration(to_string(duration)).value(), duration);
    }
}

} // namespace
} // namespace flotilla::duration_test
