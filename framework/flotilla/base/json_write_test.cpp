#include <flotilla/base/json.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

namespace flotilla::json_write_test {
namespace {

enum class Status { pending, out_of_stock };
struct Item {
    std::string product_id;
    Bounded<int, 1, 1000> quantity;
    Money price;
};
struct Order {
    std::string id_;
    std::vector<Item> items;
    Money total;
    Status status;
    Timestamp created_at;
    std::optional<std::string> note;
    std::map<std::string, bool> flags;
    Patch<int> change;
};
struct Empty {};
struct OnlyOptional {
    std::optional<int> a, b;
};

std::string money(std::int64_t cents) { return json::write(Money::from_cents(cents)); }

// Goal: a whole object is written as agreed with clients.
TEST(JsonWrite, WholeObjectIsGolden) {
    const Order order{.id_ = "o-1",
                      .items = {{"A", 2, Money::from_cents(1999)}, {"B", 1, Money::from_cents(50)}},
                      .total = Money::from_cents(4048),
                      .status = Status::out_of_stock,
                      .created_at = Timestamp(1'769'846'400'123'000),
                      .note = std::nullopt,
                      .flags = {{"gift", true}, {"express", false}},
                      .change = {}};
    EXPECT_EQ(json::write(order),
              R"({"id":"o-1","items":[{"productId":"A","quantity":2,"price":19.99},)"
              R"({"productId":"B","quantity":1,"price":0.5}],"total":40.48,"status":"OUT_OF_STOCK",)"
              R"("createdAt":"2026-01-31T08:00:00.123Z","flags":{"express":false,"gift":true}})");
}

// Goal: empty things keep their brackets, absent optionals leave no trace.
TEST(JsonWrite, EmptyThingsKeepTheirBrackets) {
    EXPECT_EQ(json::write(Empty{}), "{}");
    EXPECT_EQ(json::write(std::vector<int>{}), "[]");
    EXPECT_EQ(json::write(std::map<std::string, int>{}), "{}");
    EXPECT_EQ(json::write(OnlyOptional{}), "{}");
    EXPECT_EQ(json::write(OnlyOptional{.b = 2}), R"({"b":2})");
    EXPECT_EQ(json::write(std::vector<std::optional<int>>{1, std::nullopt}), "[1,null]");
}

// Goal: money has at most two decimals and no zeros at its end.
TEST(JsonWrite, MoneyIsShort) {
    EXPECT_EQ(money(1999), "19.99");
    EXPECT_EQ(money(2000), "20");
    EXPECT_EQ(money(1950), "19.5");
    EXPECT_EQ(money(5), "0.05");
    EXPECT_EQ(money(0), "0");
    EXPECT_EQ(money(-10), "-0.1");
    EXPECT_EQ(money(100'000), "1000");
}

// Goal: integers of all sizes are plain numbers.
TEST(JsonWrite, IntegersAreNumbers) {
    EXPECT_EQ(json::write(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(json::write(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
    EXPECT_EQ(json::write(std::int8_t{-128}), "-128");
    EXPECT_EQ(json::write(std::uint8_t{200}), "200");
}

// Goal: doubles are the shortest text that reads back the same.
TEST(JsonWrite, DoublesAreShortestAndReadBack) {
    EXPECT_EQ(json::write(0.1), "0.1");
    EXPECT_EQ(json::write(3.0), "3");
    EXPECT_EQ(json::write(-0.0), "-0");
    EXPECT_EQ(json::write(1e300), "1e+300");
    for (const double value : {1.0 / 3, 5e-324, std::numeric_limits<double>::max(), 0.1 + 0.2, -1e-7, 123456789.125}) {
        EXPECT_EQ(json::parse<double>(json::write(value)).value(), value);
    }
}

// Goal: a time has milliseconds, as JavaScript's toISOString() writes it, and never lies after the moment it stands
// for.
TEST(JsonWrite, TimesHaveThreeDecimals) {
    EXPECT_EQ(json::write(Timestamp(1'769'846'400'123'999)), R"("2026-01-31T08:00:00.123Z")");
    EXPECT_EQ(json::write(Timestamp(1'769'846'400'000'001)), R"("2026-01-31T08:00:00.000Z")");
    EXPECT_EQ(json::write(Timestamp(-1)), R"("1969-12-31T23:59:59.999Z")");
    EXPECT_EQ(json::write(Timestamp(-62'167'219'200'000'000)), R"("0000-01-01T00:00:00.000Z")");
}

// Goal: what JSON cannot say is a bug that shows, not a wrong text.
TEST(JsonWrite, UnwritableValuesThrow) {
    EXPECT_THROW((void)json::write(std::numeric_limits<double>::infinity()), std::domain_error);
    EXPECT_THROW((void)json::write(std::nan("")), std::domain_error);
    EXPECT_THROW((void)json::write(static_cast<Status>(9)), std::out_of_range);
    EXPECT_THROW((void)json::write(Timestamp(253'402'300'800'000'000)), std::domain_error);
    EXPECT_THROW((void)json::write(Timestamp(-62'167'219'200'000'001)), std::domain_error);
    EXPECT_NO_THROW((void)json::write(Timestamp(253'402'300'799'999'999)));
}

} // namespace
} // namespace flotilla::json_write_test
