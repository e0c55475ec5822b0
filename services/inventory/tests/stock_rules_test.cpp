#include "services/inventory/domain/stock_rules.hpp"

#include <gtest/gtest.h>

namespace inventory::stock_rules_test {
namespace {

// Goal: lines of one product add up, in the order of products, so that the same wish is always the same.
TEST(InventoryRules, LinesOfOneProductAddUp) {
    EXPECT_EQ(items_of({{"rope", 1}, {"lamp", 2}, {"rope", 1000}}), (std::vector<Item>{{"lamp", 2}, {"rope", 1001}}));
}

// Goal: an order has 1 to 100 lines.
TEST(InventoryRules, NumberOfLinesIsBounded) {
    EXPECT_FALSE(check_lines({}));
    EXPECT_TRUE(check_lines(std::vector<Line>(100)));
    EXPECT_FALSE(check_lines(std::vector<Line>(101)));
}

// Goal: pieces move between available and reserved, none is lost, and there are never fewer than none.
TEST(InventoryRules, PiecesMoveAndStayCounted) {
    const Stock stock{.product_id = "lamp", .available = 3, .reserved = 4};
    const auto held = moved(stock, 3, kReserve);
    ASSERT_TRUE(held);
    EXPECT_EQ(held->available, 0);
    EXPECT_EQ(held->reserved, 7);
    const auto back = moved(*held, 3, kGiveBack);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->available, 3);
    EXPECT_EQ(back->reserved, 4);
    const auto sold = moved(*held, 3, kSell);
    ASSERT_TRUE(sold);
    EXPECT_EQ(sold->available, 0);
    EXPECT_EQ(sold->reserved, 4);
    const auto refused = moved(stock, 4, kReserve);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), "out_of_stock");
}

// Goal: an order that was released stays so; another wish under its id is no repetition.
TEST(InventoryRules, RepetitionIsTheSameWish) {
    Reservation reservation{.order_id = "o-1", .items = {{"lamp", 1}}};
    EXPECT_TRUE(check_repeated(reservation, {{"lamp", 1}}));
    EXPECT_EQ(check_repeated(reservation, {{"lamp", 2}}).error().code(), "reservation_differs");
    reservation.state = State::released;
    EXPECT_EQ(check_repeated(reservation, {{"lamp", 1}}).error().code(), "reservation_released");
}

} // namespace
} // namespace inventory::stock_rules_test
