#include <flotilla/base/money.hpp>

#include <limits>
#include <stdexcept>

#include <flotilla/base/constrained.hpp>

#include <gtest/gtest.h>

namespace flotilla::money_test {
namespace {

constexpr auto kMost = Money::from_cents(std::numeric_limits<std::int64_t>::max());
constexpr auto kLeast = Money::from_cents(std::numeric_limits<std::int64_t>::min());

std::int64_t cents_of(std::string_view text) { return Money::parse(text).value().cents(); }
std::string refusal_of(std::string_view text) {
    auto amount = Money::parse(text);
    return amount ? "accepted as " + amount->to_string() : amount.error().message();
}

// Goal: amounts are read exactly, including those that binary fractions miss.
TEST(Money, ParseIsExact) {
    EXPECT_EQ(cents_of("19.99"), 1999);
    EXPECT_EQ(cents_of("20"), 2000);
    EXPECT_EQ(cents_of("19.5"), 1950);
    EXPECT_EQ(cents_of("0.07"), 7);
    EXPECT_EQ(cents_of("1.15"), 115);
    EXPECT_EQ(cents_of("-0.05"), -5);
    EXPECT_EQ(cents_of("-12.3"), -1230);
    EXPECT_EQ(cents_of("0"), 0);
    EXPECT_EQ(cents_of("70368744177664.01"), 7036874417766401);
}

// Goal: the extremes fit, one cent more does not.
TEST(Money, ParseAtTheLimitsOf64Bits) {
    EXPECT_EQ(Money::parse("92233720368547758.07").value(), kMost);
    EXPECT_EQ(Money::parse("-92233720368547758.08").value(), kLeast);
    EXPECT_TRUE(refusal_of("92233720368547758.08").starts_with("expected an amount from -92233720368547758.08 to"));
    EXPECT_TRUE(refusal_of("-92233720368547758.09").starts_with("expected an amount from"));
    EXPECT_TRUE(refusal_of("100000000000000000000000").starts_with("expected an amount from"));
}

// Goal: however a JSON number is written, it is the amount it denotes.
TEST(Money, ParseReadsEverySpelling) {
    EXPECT_EQ(cents_of("4.990"), 499);
    EXPECT_EQ(cents_of("20.00"), 2000);
    EXPECT_EQ(cents_of("1e2"), 10000);
    EXPECT_EQ(cents_of("1E1"), 1000);
    EXPECT_EQ(cents_of("-0"), 0);
    EXPECT_EQ(cents_of("-0.00e-7"), 0);
    EXPECT_EQ(cents_of("1999e-2"), 1999);
    EXPECT_EQ(cents_of("0.0000005E+5"), 5);
    EXPECT_EQ(cents_of("0e999999999999999999999"), 0);
    EXPECT_EQ(Money::parse("9223372036854775807" + std::string(50, '0') + "e-52").value(), kMost);
    EXPECT_EQ(Money::parse("-92233720368547758080e-3").value(), kLeast);
}

// Goal: nothing but a JSON number of whole cents is an amount; an exponent beyond all bounds costs nothing.
TEST(Money, ParseRefusesOtherForms) {
    EXPECT_TRUE(refusal_of("1e999999999").starts_with("expected an amount from"));
    EXPECT_TRUE(refusal_of("1e99999999999999999999999").starts_with("expected an amount from"));
    for (const auto* text : {"", "-", ".", ".5", "5.", "1.999", "1.0001", "1e-3", "1e-999999999", "19.99e-1", "+1",
                             " 1", "1 ", "01", "00.1", "1,5", "--1", "0x1", "NaN"}) {
        EXPECT_EQ(refusal_of(text), "expected an amount with at most two decimals, found " + std::string(text));
    }
    const std::string long_text(100, 'x');
    EXPECT_EQ(refusal_of(long_text),
              "expected an amount with at most two decimals, found " + long_text.substr(0, 40) + "...");
}

// Goal: text for people always has two decimals, and reads back the same at the extremes.
TEST(Money, ToStringHasTwoDecimals) {
    EXPECT_EQ(Money::from_cents(1999).to_string(), "19.99");
    EXPECT_EQ(Money::from_cents(2000).to_string(), "20.00");
    EXPECT_EQ(Money::from_cents(5).to_string(), "0.05");
    EXPECT_EQ(Money::from_cents(-5).to_string(), "-0.05");
    EXPECT_EQ(Money::from_cents(-1999).to_string(), "-19.99");
    EXPECT_EQ(Money::parse(kLeast.to_string()).value(), kLeast);
    EXPECT_EQ(Money::parse(kMost.to_string()).value(), kMost);
}

// Goal: arithmetic is exact.
TEST(Money, ArithmeticIsExact) {
    const auto price = Money::from_cents(1999);
    EXPECT_EQ(price + price, Money::from_cents(3998));
    EXPECT_EQ(price - Money::from_cents(2000), Money::from_cents(-1));
    EXPECT_EQ(price * 3, Money::from_cents(5997));
    EXPECT_EQ(3 * price, Money::from_cents(5997));
    EXPECT_EQ((price * Bounded<int, 1, 9>(2)), Money::from_cents(3998));
    EXPECT_EQ(-price, Money::from_cents(-1999));
    EXPECT_LT(price, Money::from_cents(2000));
}

// Goal: an overflow is never silent.
TEST(Money, OverflowThrows) {
    EXPECT_THROW((void)(kMost + Money::from_cents(1)), std::overflow_error);
    EXPECT_THROW((void)(kLeast - Money::from_cents(1)), std::overflow_error);
    EXPECT_THROW((void)(kMost * 2), std::overflow_error);
    EXPECT_THROW((void)-kLeast, std::overflow_error);
}

} // namespace
} // namespace flotilla::money_test
