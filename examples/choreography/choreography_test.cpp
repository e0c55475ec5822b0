#include "examples/choreography/choreography.hpp"

#include <gtest/gtest.h>

#include <flotilla/testing/test_service.hpp>

namespace choreography::choreography_test {
namespace {

using namespace flotilla;

// Goal: an order ends as the stock allows, and nobody but the two services' events has led there.
TEST(ExampleChoreography, OrderEndsAsTheStockAllows) {
    TestService stock{install_inventory, {.bus = "memory:choreography"}};
    TestService shop{install_orders, {.bus = "memory:choreography"}};
    const auto status_of = [&](int quantity) {
        const auto placed = shop.post("/orders", {{"productId", "lamp"}, {"quantity", quantity}});
        EXPECT_EQ(placed.status, 201) << placed.body;
        EXPECT_EQ(placed.json().at("status"), "PENDING");
        const auto path = "/orders/" + std::string(placed.json().at("id").as_string());
        EXPECT_TRUE(eventually([&] { return shop.get(path).json().at("status") != "PENDING"; }));
        return std::string(shop.get(path).json().at("status").as_string());
    };
    EXPECT_EQ(status_of(3), "CONFIRMED");
    EXPECT_EQ(status_of(3), "CANCELLED");
    EXPECT_EQ(status_of(2), "CONFIRMED");
    EXPECT_EQ(stock.get("/stock/lamp").json().at("available"), 0);
}

// Goal: an order that was placed while the inventory was not there is answered once it is.
TEST(ExampleChoreography, OrderWaitsForAnInventoryThatIsDown) {
    TestService shop{install_orders, {.bus = "memory:choreography-down"}};
    const auto placed = shop.post("/orders", {{"productId", "lamp"}, {"quantity", 1}}).json();
    const auto path = "/orders/" + std::string(placed.at("id").as_string());
    EXPECT_EQ(shop.next_event("order.created").key, placed.at("id").as_string());
    EXPECT_EQ(shop.get(path).json().at("status"), "PENDING");
    TestService stock{install_inventory, {.bus = "memory:choreography-down"}};
    EXPECT_TRUE(eventually([&] { return shop.get(path).json().at("status") == "CONFIRMED"; }));
}

// Goal: an event that comes twice takes the pieces once.
TEST(ExampleChoreography, RepeatedEventTakesPiecesOnce) {
    TestService stock{install_inventory};
    for (const auto* producer : {"orders", "another-instance"}) // to the inbox two different events
        stock.deliver(order_created, {.order_id = "o-1", .product_id = "lamp", .quantity = 2}, "event-1", producer);
    stock.deliver(order_created, {.order_id = "o-2", .product_id = "lamp", .quantity = 1}, "event-2", "orders");
    EXPECT_TRUE(eventually([&] { return stock.get("/stock/lamp").json().at("available") == 2; }));
    EXPECT_EQ(stock.next_event("inventory.reserved").key, "o-1");
    EXPECT_EQ(stock.next_event("inventory.reserved").key, "o-2");
}

} // namespace
} // namespace choreography::choreography_test
