#include <flotilla/base/json_scalar.hpp>

#include <gtest/gtest.h>

#include <flotilla/base/json.hpp>

namespace flotilla::json_scalar_test {
namespace {

enum class Status { pending, done };
struct Object {
    int a;
};

/// The value written as JSON, or the error's message.
template <class T>
std::string set(std::string_view text) {
    T value{};
    auto done = json::set_from_text(descriptor_of<T>, &value, text);
    if (done) return json::write(value);
    EXPECT_EQ(done.error().code(), "invalid_request");
    return done.error().message();
}

// Goal: every scalar is read from a parameter's text.
TEST(SetFromText, ReadsEveryScalar) {
    EXPECT_EQ(set<int>("42"), "42");
    EXPECT_EQ(set<std::int64_t>("-9223372036854775808"), "-9223372036854775808");
    EXPECT_EQ(set<std::uint64_t>("18446744073709551615"), "18446744073709551615");
    EXPECT_EQ(set<double>("1.5e3"), "1500");
    EXPECT_EQ(set<bool>("true"), "true");
    EXPECT_EQ(set<bool>("false"), "false");
    EXPECT_EQ(set<std::string>("a b"), "\"a b\"");
    EXPECT_EQ(set<std::string>(""), "\"\"");
    EXPECT_EQ(set<std::string>("42"), "\"42\"");
    EXPECT_EQ(set<Money>("19.99"), "19.99");
    EXPECT_EQ(set<Status>("DONE"), "\"DONE\"");
    EXPECT_EQ(set<Timestamp>("2026-01-31T09:00:00+01:00"), "\"2026-01-31T08:00:00.000Z\"");
    EXPECT_EQ(set<std::optional<int>>("7"), "7");
    EXPECT_EQ(set<Patch<int>>("7"), "7");
    EXPECT_EQ((set<Bounded<int, 1, 100>>("100")), "100");
    EXPECT_EQ((set<Text<1, 3>>("äöü")), "\"äöü\"");
}

// Goal: an integer is read however it is written, exactly up to the ends of its range.
TEST(SetFromText, ReadsEverySpellingOfAnInteger) {
    EXPECT_EQ(set<int>("2.0"), "2");
    EXPECT_EQ(set<int>("2e0"), "2");
    EXPECT_EQ(set<int>("1e2"), "100");
    EXPECT_EQ(set<int>("20.00"), "20");
    EXPECT_EQ(set<int>("1E1"), "10");
    EXPECT_EQ(set<int>("-0"), "0");
    EXPECT_EQ(set<int>("-0.0e-5"), "0");
    EXPECT_EQ(set<int>("2000E-3"), "2");
    EXPECT_EQ(set<int>("0.00002e+05"), "2");
    EXPECT_EQ(set<std::uint64_t>("-0.0"), "0");
    EXPECT_EQ(set<std::uint64_t>("1.8446744073709551615e19"), "18446744073709551615");
    EXPECT_EQ(set<std::int64_t>("-9223372036854775808.000"), "-9223372036854775808");
    EXPECT_EQ(set<std::int64_t>("9.223372036854775808e18"),
              "expected -9223372036854775808..9223372036854775807, found 9.223372036854775808e18");
    EXPECT_EQ((set<Bounded<int, 1, 100>>("1" + std::string(10'000, '0') + "e-9999")), "10");
}

// Goal: a parameter given several times fills an array.
TEST(SetFromText, ArrayGetsOneMoreElement) {
    std::vector<int> numbers;
    ASSERT_TRUE(json::set_from_text(descriptor_of<std::vector<int>>, &numbers, "1"));
    ASSERT_TRUE(json::set_from_text(descriptor_of<std::vector<int>>, &numbers, "2"));
    EXPECT_EQ(numbers, (std::vector{1, 2}));
}

// Goal: every refusal says what was expected and what was found.
TEST(SetFromText, RefusalsSayWhatWasExpected) {
    EXPECT_EQ(set<int>("abc"), "expected a whole number, found \"abc\"");
    EXPECT_EQ(set<int>(""), "expected a whole number, found \"\"");
    EXPECT_EQ(set<int>("+5"), "expected a whole number, found \"+5\"");
    EXPECT_EQ(set<int>("007"), "expected a whole number, found \"007\"");
    EXPECT_EQ(set<int>("1.5"), "expected a whole number, found 1.5");
    EXPECT_EQ(set<int>("1e-1"), "expected a whole number, found 1e-1");
    EXPECT_EQ(set<int>("12e-999999999"), "expected a whole number, found 12e-999999999");
    EXPECT_EQ(set<int>("1e999999999"), "expected -2147483648..2147483647, found 1e999999999");
    EXPECT_EQ(set<std::uint64_t>("-1.0"), "expected 0..18446744073709551615, found -1.0");
    EXPECT_EQ(set<int>("3000000000"), "expected -2147483648..2147483647, found 3000000000");
    EXPECT_EQ((set<Bounded<int, 1, 1000>>("0")), "expected 1..1000, found 0");
    EXPECT_EQ((set<Bounded<std::uint64_t, 1, 1000>>("-1")), "expected 1..1000, found -1");
    EXPECT_EQ((set<Bounded<std::uint64_t, 1, 1000>>("18446744073709551617")),
              "expected 1..1000, found 18446744073709551617");
    EXPECT_EQ((set<Text<1, 3>>("")), "expected 1..3 characters, found 0");
    EXPECT_EQ(set<double>("nan"), "expected a number, found \"nan\"");
    EXPECT_EQ(set<bool>("yes"), "expected true or false, found \"yes\"");
    EXPECT_EQ(set<Money>("1.999"), "expected an amount with at most two decimals, found 1.999");
    EXPECT_EQ(set<Money>("free"), "expected an amount with at most two decimals, found \"free\"");
    EXPECT_EQ(set<Status>("done"), "expected one of PENDING, DONE, found \"done\"");
    EXPECT_EQ(set<Timestamp>("now"), "expected a time like \"2026-01-31T08:00:00Z\", found \"now\"");
    EXPECT_EQ(set<std::string>("\xff"), "expected UTF-8 text");
    EXPECT_EQ(set<Object>("{}"), "expected an object, which a parameter cannot say");
    EXPECT_EQ(set<int>(std::string(39, 'x') + "ä" + "y"),
              "expected a whole number, found \"" + std::string(39, 'x') + "...\"");
}

// Goal: only RFC 8259's numbers are numbers.
TEST(JsonScalar, RecognisesNumbers) {
    for (const auto* text : {"0", "-0", "10", "0.5", "-1.25e10", "1E-2", "1e+2", "123456789012345678901234567890"}) {
        EXPECT_TRUE(json::is_number(text)) << text;
    }
    for (const auto* text :
         {"", "-", "00", "01", "-01", "1.", ".1", "1.e1", "1e", "1e-", "+1", "1 ", "0x1", "1e1.5", "١"}) {
        EXPECT_FALSE(json::is_number(text)) << text;
    }
}

} // namespace
} // namespace flotilla::json_scalar_test
