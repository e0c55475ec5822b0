#include <flotilla/base/constrained.hpp>

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace flotilla::constrained_test {
namespace {

using Quantity = Bounded<int, 1, 1000>;
using Name = Text<1, 5>;

struct Line {
    std::string product_id;
    Quantity quantity;
    Name name;
};

// Goal: a bounded number is written and read like its number, also in aggregates.
TEST(Bounded, ConvertsBothWaysInAggregates) {
    const Line line{.product_id = "A1", .quantity = 3, .name = "bolt"};
    const int quantity = line.quantity;
    EXPECT_EQ(quantity, 3);
    EXPECT_EQ(line.quantity * 2, 6);
    EXPECT_TRUE(line.quantity < 4);
    EXPECT_EQ(line.quantity, Quantity(3));
    const std::vector<int> many(3);
    EXPECT_EQ(Quantity(many.size()).value(), 3);
}

// Goal: a number outside the bounds never gets in, whatever its type.
TEST(Bounded, ThrowsOutsideItsBounds) {
    EXPECT_THROW(Quantity(0), std::out_of_range);
    EXPECT_THROW(Quantity(1001), std::out_of_range);
    EXPECT_THROW(Quantity(std::uint64_t{1} << 32 | 5), std::out_of_range); // would be 5 when narrowed
    EXPECT_THROW(Quantity(-1L), std::out_of_range);
    EXPECT_THROW((Bounded<double, 0.0, 1.0>(1.5)), std::out_of_range);
    EXPECT_NO_THROW(Quantity(1));
    EXPECT_NO_THROW(Quantity(1000));
}

// Goal: a wrong constant does not compile; a right one is a constant.
TEST(Bounded, IsConstantExpression) {
    constexpr Quantity quantity = 12;
    static_assert(quantity == 12);
    static_assert(!std::is_constructible_v<Quantity, std::string> && !std::is_constructible_v<Quantity, bool>);
}

// Goal: the default is zero where the range has it, else the minimum.
TEST(Bounded, DefaultLiesInRange) {
    EXPECT_EQ(Quantity().value(), 1);
    EXPECT_EQ((Bounded<int, -5, 5>().value()), 0);
    EXPECT_EQ((Bounded<int, -9, -5>().value()), -9);
}

// Goal: constrained text reads like a string and counts characters, not bytes.
TEST(Text, CountsCodePoints) {
    const Name name = "größe";
    const std::string& text = name;
    EXPECT_EQ(text, "größe");
    EXPECT_EQ(name.size(), 7U);
    EXPECT_THROW(Name("größer"), std::out_of_range);
    EXPECT_THROW(Name(""), std::out_of_range);
    EXPECT_TRUE(Name().empty());
}

// Goal: constrained text compares with everything that is text.
TEST(Text, ComparesWithStrings) {
    const Name name = std::string("bolt");
    EXPECT_TRUE(name == "bolt");
    EXPECT_TRUE(name == std::string("bolt"));
    EXPECT_TRUE(name == std::string_view("bolt"));
    EXPECT_TRUE("bolt" == name);
    EXPECT_TRUE(name == Name("bolt"));
    EXPECT_TRUE(name != "nut");
    EXPECT_TRUE(name < Name("nut"));
}

} // namespace
} // namespace flotilla::constrained_test
