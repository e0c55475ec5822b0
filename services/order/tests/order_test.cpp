#include "services/order/order.hpp"

#include <atomic>

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/order/api/order.hpp"
#include "services/order/domain/order_rules.hpp"
#include "services/product/api/product.hpp"
#include "services/user/api/user.hpp"

namespace order::order_test {
namespace {

using namespace flotilla;

/// Knows user u-1, and products lamp (19.99), rope (5) and sold-out.
std::vector<Fake> shop() {
    return {fake(user::get,
                 [](user::UserId id) -> Result<user::User> {
                     if (id.id != "u-1") return user::user_not_found;
                     return user::User{.id = "u-1", .email = "ada@example.com", .name = "Ada"};
                 }),
            fake(product::get, [](product::ProductId id) -> Result<product::Product> {
                if (id.id == "lamp")
                    return product::Product{
                        .id = "lamp", .name = "Lamp", .price = Money::from_cents(1999), .in_stock = true};
                if (id.id == "rope")
                    return product::Product{
                        .id = "rope", .name = "Rope", .price = Money::from_cents(500), .in_stock = true};
                if (id.id == "sold-out")
                    return product::Product{.id = "sold-out", .name = "Gone", .price = Money::from_cents(1)};
                return product::product_not_found;
            })};
}

boost::json::value order_of(const char* user, std::initializer_list<std::pair<const char*, int>> lines) {
    boost::json::array items;
    for (const auto& [product, quantity] : lines)
        items.push_back({{"productId", product}, {"quantity", quantity}, {"price", 0.01}});
    return {{"userId", user}, {"items", items}};
}

// Goal: an order takes the catalogue's prices, whatever the client says, and is announced.
TEST(OrderPlace, CataloguePricesCount) {
    TestService orders{install, {.fakes = shop()}};
    const auto placed = orders.post("/orders", order_of("u-1", {{"lamp", 2}, {"rope", 1}}));
    ASSERT_EQ(placed.status, 201) << placed.body;
    const auto order = placed.json();
    EXPECT_EQ(order.at("status"), "PENDING");
    EXPECT_EQ(order.at("total"), 44.98);
    EXPECT_EQ(order.at("userId"), "u-1");
    EXPECT_EQ(order.at("items").at(0).at("price"), 19.99);
    EXPECT_EQ(order.at("items").at(0).at("quantity"), 2);

    const std::string id(order.at("id").as_string());
    EXPECT_EQ(orders.get("/orders/" + id).body, placed.body);
    const auto event = orders.next_event("order.created");
    EXPECT_EQ(event.payload, R"({"orderId":")" + id +
                                 R"(","userId":"u-1","items":[{"productId":"lamp","quantity":2,"price":19.99},)" +
                                 R"({"productId":"rope","quantity":1,"price":5}],"total":44.98})");
}

// Goal: the API's messages, word for word.
TEST(OrderPlace, UnknownsAreRefusedWithTheirMessages) {
    TestService orders{install, {.fakes = shop()}};
    const auto refused = [&](const boost::json::value& body) {
        const auto answer = orders.post("/orders", body);
        EXPECT_EQ(answer.status, 400) << answer.body;
        return std::string(answer.json().at("error").as_string());
    };
    EXPECT_EQ(refused(order_of("nobody", {{"lamp", 1}})), "User not found");
    EXPECT_EQ(refused(order_of("u-1", {{"lamp", 1}, {"x-9", 1}})), "Product x-9 not found");
    EXPECT_EQ(refused(order_of("u-1", {{"sold-out", 1}})), "Product sold-out out of stock");
    EXPECT_EQ(refused(order_of("u-1", {})), "An order has 1 to 100 items");
    EXPECT_EQ(orders.get("/orders?userId=u-1").body, "[]");
}

// Goal: every bad line is named.
TEST(OrderPlace, BadQuantityNamesItsLine) {
    TestService orders{install, {.fakes = shop()}};
    const auto refused = orders.post("/orders", order_of("u-1", {{"lamp", 1}, {"rope", 0}, {"rope", 1001}}));
    ASSERT_EQ(refused.status, 400);
    const auto errors = refused.json().at("errors").as_array();
    ASSERT_EQ(errors.size(), 2U) << refused.body;
    EXPECT_EQ(errors[0].at("path"), "items[1].quantity");
    EXPECT_EQ(errors[0].at("message"), "expected 1..1000, found 0");
    EXPECT_EQ(errors[1].at("path"), "items[2].quantity");
}

// Goal: a service that is missing is not the customer's mistake.
TEST(OrderPlace, MissingUserServiceIsUnavailable) {
    auto fakes = shop();
    fakes.erase(fakes.begin());
    TestService orders{install, {.fakes = std::move(fakes)}};
    const auto answer = orders.post("/orders", order_of("u-1", {{"lamp", 1}}));
    EXPECT_EQ(answer.status, 503) << answer.body;
    EXPECT_TRUE(answer.headers.contains("retry-after"));
}

enum class Catalogue { answers, has_no_lamp, has_restocked, is_down };

/// The shop above with a catalogue that changes.
std::vector<Fake> shop_with(const std::atomic<Catalogue>& now) {
    auto fakes = shop();
    fakes[1] = fake(product::get, [&now](product::ProductId id) -> Result<product::Product> {
        if (now == Catalogue::is_down) return Error(Kind::bad_gateway, "down", "the catalogue is down");
        if (now == Catalogue::has_no_lamp && id.id == "lamp") return product::product_not_found;
        const bool in_stock = id.id != "sold-out" || now == Catalogue::has_restocked;
        return product::Product{.id = id.id, .name = "Thing", .price = Money::from_cents(1999), .in_stock = in_stock};
    });
    return fakes;
}

// Goal: while the catalogue is down the last price it gave stands in, and the order says of when it is.
TEST(OrderPlace, LastKnownPriceStandsInForACatalogueThatIsDown) {
    std::atomic now = Catalogue::answers;
    TestService orders{install, {.fakes = shop_with(now)}};
    const auto fresh = orders.post("/orders", order_of("u-1", {{"lamp", 1}}));
    ASSERT_EQ(fresh.status, 201) << fresh.body;
    EXPECT_FALSE(fresh.body.contains("priceAsOf")) << fresh.body;

    now = Catalogue::is_down;
    const auto stale = orders.post("/orders", order_of("u-1", {{"lamp", 2}}));
    ASSERT_EQ(stale.status, 201) << stale.body;
    const auto order = stale.json();
    EXPECT_EQ(order.at("total"), 39.98);
    EXPECT_LT(order.at("items").at(0).at("priceAsOf").as_string(), order.at("createdAt").as_string());
    EXPECT_EQ(orders.get("/orders/" + std::string(order.at("id").as_string())).body, stale.body);
    EXPECT_FALSE(orders.next_event("order.created").payload.contains("priceAsOf"));
    EXPECT_TRUE(orders.next_event("order.created").payload.contains("priceAsOf"));
    EXPECT_TRUE(orders.get("/metrics").body.contains("fallback_stale_answers_total{upstream=\"product-service\"} 1\n"));
    EXPECT_EQ(orders.post("/orders", order_of("u-1", {{"rope", 1}})).status, 502); // nobody has asked for it before
}

// Goal: an old answer refuses nobody, and what the catalogue has taken back does not stand in.
TEST(OrderPlace, OldAnswersNeitherRefuseNorReviveAProduct) {
    std::atomic now = Catalogue::answers;
    TestService orders{install, {.fakes = shop_with(now)}};
    const auto status = [&](const char* product) {
        return orders.post("/orders", order_of("u-1", {{product, 1}})).status;
    };
    EXPECT_EQ(status("lamp"), 201);
    EXPECT_EQ(status("sold-out"), 400);
    now = Catalogue::has_no_lamp;
    EXPECT_EQ(status("lamp"), 400);
    now = Catalogue::is_down;
    EXPECT_EQ(status("lamp"), 502);
    EXPECT_EQ(status("sold-out"), 502);
    now = Catalogue::has_restocked;
    EXPECT_EQ(status("sold-out"), 201);
}

// Goal: a shop that wants no old prices has none.
TEST(OrderPlace, NoPriceStandsInWhereNoneMay) {
    std::atomic now = Catalogue::answers;
    TestService orders{install, {.fakes = shop_with(now), .settings = {{"price_age_max_s", "0"}}}};
    EXPECT_EQ(orders.post("/orders", order_of("u-1", {{"lamp", 1}})).status, 201);
    now = Catalogue::is_down;
    EXPECT_EQ(orders.post("/orders", order_of("u-1", {{"lamp", 1}})).status, 502);
}

// Goal: confirming is announced once, however often it is asked for.
TEST(OrderConfirm, ConfirmedOncePublishedOnce) {
    TestService orders{install, {.fakes = shop()}};
    const auto placed = orders.post("/orders", order_of("u-1", {{"lamp", 1}}));
    const std::string path = "/orders/" + std::string(placed.json().at("id").as_string());
    const auto confirmed = orders.post(path + "/confirm", nullptr);
    ASSERT_EQ(confirmed.status, 200) << confirmed.body;
    EXPECT_EQ(confirmed.json().at("status"), "CONFIRMED");
    EXPECT_EQ(orders.send("POST", path + "/confirm", "", {}).status, 200);
    EXPECT_EQ(orders.get(path).json().at("status"), "CONFIRMED");

    const auto second = orders.post("/orders", order_of("u-1", {{"rope", 1}}));
    const std::string second_id(second.json().at("id").as_string());
    ASSERT_EQ(orders.post("/orders/" + second_id + "/confirm", boost::json::object{}).status, 200);
    EXPECT_TRUE(orders.next_event("order.confirmed").payload.contains(path.substr(8)));
    const auto next = orders.next_event("order.confirmed");
    EXPECT_EQ(next.payload, R"({"orderId":")" + second_id + R"(","userId":"u-1"})");
    EXPECT_EQ(next.sequence, 2U);
}

// Goal: as clients know it, reading an unknown order is 404, confirming one 400.
TEST(OrderConfirm, UnknownOrderHasItsOwnStatusPerMethod) {
    TestService orders{install, {.fakes = shop()}};
    const auto read = orders.get("/orders/1");
    EXPECT_EQ(read.status, 404);
    EXPECT_EQ(read.json().at("error"), "Order not found");
    const auto confirmed = orders.send("POST", "/orders/1/confirm", "", {});
    EXPECT_EQ(confirmed.status, 400);
    EXPECT_EQ(confirmed.json().at("error"), "Order not found");
}

// Goal: a list belongs to one user and is in order of time.
TEST(OrderList, OnlyTheUsersOrdersOldestFirst) {
    TestService orders{install, {.fakes = shop()}};
    std::vector<std::string> ids;
    for (int i = 0; i < 3; ++i)
        ids.emplace_back(orders.post("/orders", order_of("u-1", {{"rope", i + 1}})).json().at("id").as_string());
    const auto listed = orders.get("/orders?userId=u-1").json().as_array();
    ASSERT_EQ(listed.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(listed[i].at("id"), ids[i].c_str());
    EXPECT_EQ(orders.get("/orders?userId=u-2").body, "[]");
    EXPECT_EQ(orders.get("/orders").status, 400);
}

// Goal: the same key places one order, also when prices have changed meanwhile.
TEST(OrderPlace, ReplayedKeyPlacesOnce) {
    TestService orders{install, {.fakes = shop()}};
    const auto first = orders.post("/orders", order_of("u-1", {{"lamp", 1}}), idempotency_key("k"));
    const auto replay = orders.post("/orders", order_of("u-1", {{"lamp", 1}}), idempotency_key("k"));
    ASSERT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(replay.body, first.body);
    EXPECT_EQ(orders.get("/orders?userId=u-1").json().as_array().size(), 1U);
}

// Goal: the rules hold without a server.
TEST(OrderRules, CancelledOrderCannotBeConfirmed) {
    Order order{.id = "1", .status = Status::cancelled};
    auto confirmed = confirmed_order(order);
    ASSERT_FALSE(confirmed);
    EXPECT_EQ(confirmed.error().code(), "order_cancelled");
}

} // namespace
} // namespace order::order_test
