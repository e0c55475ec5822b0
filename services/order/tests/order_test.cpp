#include "services/order/order.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/event_corpus.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/inventory/api/inventory.hpp"
#include "services/order/api/order.hpp"
#include "services/order/domain/order_rules.hpp"
#include "services/payment/api/payment.hpp"
#include "services/product/api/product.hpp"
#include "services/shipping/api/shipping.hpp"
#include "services/user/api/user.hpp"

namespace order::order_test {
namespace {

using namespace flotilla;

/// What the other services are asked to do for an order, and how they answer.
struct Others {
    std::mutex mutex = {};
    std::vector<std::string> asked = {}; ///< "payment.authorize", in order
    std::map<std::string, Error> answers = {};

    void answer(const std::string& command, const Error& error) {
        const std::lock_guard lock(mutex);
        answers.insert_or_assign(command, error);
    }
    void recover(const std::string& command) {
        const std::lock_guard lock(mutex);
        answers.erase(command);
    }
    std::vector<std::string> all_asked() {
        const std::lock_guard lock(mutex);
        return asked;
    }
    template <class Answer>
    Result<Answer> take(const std::string& command, Answer answer) {
        const std::lock_guard lock(mutex);
        asked.push_back(command);
        const auto error = answers.find(command);
        if (error != answers.end()) return error->second;
        return answer;
    }
};

void add_others(std::vector<Fake>& fakes, Others& others) {
    const auto paid = [&others](const char* command) {
        return [&others, command](const payment::PaymentId& id) {
            return others.take(command, payment::Payment{.order_id = id.order_id, .user_id = "u-1"});
        };
    };
    const auto stocked = [&others](const char* command) {
        return [&others, command](const inventory::OrderId& id) {
            return others.take(command, inventory::Reservation{.order_id = id.order_id});
        };
    };
    fakes.push_back(fake(payment::authorize, [&others](const payment::Authorize& request) {
        return others.take("payment.authorize",
                           payment::Payment{.order_id = request.order_id, .user_id = "u-1", .amount = request.amount});
    }));
    fakes.push_back(fake(payment::capture, paid("payment.capture")));
    fakes.push_back(fake(payment::cancel, paid("payment.cancel")));
    fakes.push_back(fake(inventory::reserve, [&others](const inventory::Reserve& request) {
        return others.take("inventory.reserve", inventory::Reservation{.order_id = request.order_id});
    }));
    fakes.push_back(fake(inventory::release, stocked("inventory.release")));
    fakes.push_back(fake(inventory::commit, stocked("inventory.commit")));
    fakes.push_back(fake(shipping::schedule, [&others](const shipping::ScheduleShipment& request) {
        return others.take("shipping.schedule", shipping::Shipment{.order_id = request.order_id, .user_id = "u-1"});
    }));
    fakes.push_back(fake(shipping::cancel, [&others](const shipping::ShipmentId& id) {
        return others.take("shipping.cancel", shipping::Shipment{.order_id = id.order_id, .user_id = "u-1"});
    }));
}

/// Knows user u-1, and products lamp (19.99), rope (5) and sold-out; nobody takes an order further.
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

std::vector<Fake> shop(Others& others) {
    auto fakes = shop();
    add_others(fakes, others);
    return fakes;
}

std::string id_of(const TestResponse& order) { return std::string(order.json().at("id").as_string()); }

TestResponse place(TestService& orders, const char* wait = "wait=10") {
    auto placed = orders.post("/orders", order_of("u-1", {{"lamp", 1}}), TestHeader{"prefer", wait});
    EXPECT_EQ(placed.status, 201) << placed.body;
    return placed;
}

using Strings = std::vector<std::string>;

// Goal: an order goes through all its steps, is announced once, and is then what everybody reads.
TEST(OrderCheckout, GoesThroughAllStepsToConfirmed) {
    Others others;
    TestService orders{install, {.fakes = shop(others)}};
    const auto placed = place(orders);
    EXPECT_EQ(placed.json().at("status"), "CONFIRMED") << placed.body;
    EXPECT_EQ(placed.json().at("progress"), "CONFIRMED");
    EXPECT_EQ(placed.headers.at("preference-applied"), "wait=10");
    EXPECT_EQ(others.all_asked(), (Strings{"payment.authorize", "inventory.reserve", "shipping.schedule",
                                           "payment.capture", "inventory.commit"}));
    const auto path = "/orders/" + id_of(placed);
    EXPECT_EQ(orders.get(path).body, placed.body);
    EXPECT_EQ(orders.get(path).headers.at("etag"), "\"6\"");
    EXPECT_EQ(orders.next_event("order.confirmed").payload, R"({"orderId":")" + id_of(placed) + R"(","userId":"u-1"})");
    const auto confirmed = orders.send("POST", path + "/confirm", "", {});
    EXPECT_EQ(confirmed.status, 200) << confirmed.body;
    EXPECT_EQ(confirmed.body, placed.body);
    EXPECT_EQ(orders.post(path + "/confirm", boost::json::object{}).status, 200);
    EXPECT_EQ(others.all_asked().size(), 5U);
}

// Goal: a step that is refused ends the order, what was done before is undone, last first, and the reason is told.
TEST(OrderCheckout, RefusedStepUndoesWhatWasDoneAndCancels) {
    Others others;
    others.answer("shipping.schedule", shipping::address_not_served.with("XX"));
    TestService orders{install, {.fakes = shop(others)}};
    const auto placed = place(orders);
    EXPECT_EQ(placed.json().at("status"), "CANCELLED") << placed.body;
    EXPECT_EQ(placed.json().at("reason"), "We do not ship to XX") << placed.body;
    EXPECT_EQ(others.all_asked(), (Strings{"payment.authorize", "inventory.reserve", "shipping.schedule",
                                           "inventory.release", "payment.cancel"}));
    EXPECT_EQ(orders.next_event("order.cancelled").payload,
              R"({"orderId":")" + id_of(placed) + R"(","userId":"u-1","reason":"We do not ship to XX"})");
    const auto confirmed = orders.send("POST", "/orders/" + id_of(placed) + "/confirm", "", {});
    EXPECT_EQ(confirmed.status, 409);
    EXPECT_EQ(confirmed.json().at("code"), "order_cancelled");
    EXPECT_EQ(orders.get("/orders?userId=u-1").json().at(0).at("status"), "CANCELLED");
}

// Goal: nothing that is not paid is confirmed: while payment is not held, confirming says how far the order is.
TEST(OrderConfirm, WhatIsNotHeldIsNotConfirmed) {
    Others others;
    others.answer("payment.authorize", Error(Kind::unavailable, "down", "the provider is down"));
    TestService orders{install, {.fakes = shop(others)}};
    const auto placed = place(orders, "wait=0");
    EXPECT_EQ(placed.json().at("status"), "PENDING");
    const auto path = "/orders/" + id_of(placed);
    const std::array now{TestHeader{"prefer", "wait=0"}};
    const auto early = orders.send("POST", path + "/confirm", "", now);
    EXPECT_EQ(early.status, 409) << early.body;
    EXPECT_EQ(early.json().at("error"), "Payment and stock are not held yet; the order is PLACED");
    others.recover("payment.authorize");
    const std::array patient{TestHeader{"prefer", "wait=20"}};
    EXPECT_EQ(orders.send("POST", path + "/confirm", "", patient).json().at("status"), "CONFIRMED");
}

// Goal: a customer cancels what is being placed: what was done is undone, what comes later is not done.
TEST(OrderCancel, PendingOrderIsUndone) {
    Others others;
    others.answer("inventory.reserve", Error(Kind::unavailable, "down", "the inventory is down"));
    TestService orders{install, {.fakes = shop(others)}};
    const auto placed = place(orders, "wait=0");
    const auto path = "/orders/" + id_of(placed);
    EXPECT_TRUE(eventually([&] { return orders.get(path).json().at("progress") == "PAYMENT_HELD"; }));
    const auto cancelled = orders.post(path + "/cancel", {{"reason", "Changed my mind"}});
    ASSERT_EQ(cancelled.status, 200) << cancelled.body;
    EXPECT_EQ(cancelled.json().at("status"), "CANCELLED") << cancelled.body;
    EXPECT_EQ(cancelled.json().at("reason"), "Changed my mind");
    EXPECT_EQ(others.all_asked().back(), "payment.cancel");
    EXPECT_EQ(std::ranges::count(others.all_asked(), "shipping.schedule"), 0);
    EXPECT_EQ(orders.post(path + "/cancel", boost::json::object{}).json().at("reason"), "Changed my mind");
}

// Goal: a confirmed order is given back before it leaves, and not afterwards.
TEST(OrderCancel, ConfirmedOrderIsRefundedUntilItLeaves) {
    Others others;
    TestService orders{install, {.fakes = shop(others)}};
    const auto first = place(orders), second = place(orders);
    const auto cancelled = orders.post("/orders/" + id_of(first) + "/cancel", boost::json::object{});
    ASSERT_EQ(cancelled.status, 200) << cancelled.body;
    EXPECT_EQ(cancelled.json().at("status"), "CANCELLED");
    auto asked = others.all_asked();
    asked.erase(asked.begin(), asked.end() - 3);
    EXPECT_EQ(asked, (Strings{"shipping.cancel", "payment.cancel", "inventory.release"}));

    others.answer("shipping.cancel", shipping::already_dispatched); // nobody has told us yet
    const auto path = "/orders/" + id_of(second);
    EXPECT_EQ(orders.post(path + "/cancel", boost::json::object{}).json().at("code"), "order_dispatched");
    EXPECT_EQ(orders.get(path).json().at("status"), "CONFIRMED");
    orders.deliver(shipping::dispatched, {.order_id = id_of(second), .user_id = "u-1"}, "event-1", "shipping-service");
    EXPECT_TRUE(eventually([&] { return orders.get(path).json().at("progress") == "DISPATCHED"; }));
    EXPECT_EQ(orders.post(path + "/cancel", boost::json::object{}).status, 409);
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

// Goal: each wish to cancel has its way, wherever the order is.
TEST(OrderRules, CancellationFollowsTheProgress) {
    const auto way = [](Progress progress) { return cancellation_of(Order{.progress = progress}); };
    for (const auto early : {Progress::placed, Progress::payment_held, Progress::stock_held, Progress::paid})
        EXPECT_EQ(way(early), Cancellation::checkout);
    EXPECT_EQ(way(Progress::confirmed), Cancellation::refund);
    EXPECT_EQ(way(Progress::cancelling), Cancellation::nothing);
    EXPECT_EQ(way(Progress::cancelled), Cancellation::nothing);
    for (const auto late : {Progress::dispatched, Progress::delivered})
        EXPECT_EQ(way(late).error().code(), "order_dispatched");
}

// Goal: an order goes through only once payment and stock are held.
TEST(OrderRules, HeldIsWhatIsPaidForAndSetAside) {
    for (const auto early : {Progress::placed, Progress::payment_held, Progress::cancelling})
        EXPECT_EQ(held_order(Order{.progress = early}).error().code(), "order_not_held");
    for (const auto held : {Progress::stock_held, Progress::shipment_scheduled, Progress::paid, Progress::confirmed})
        EXPECT_TRUE(held_order(Order{.progress = held}));
    EXPECT_EQ(held_order(Order{.status = Status::cancelled}).error().code(), "order_cancelled");
}

// Goal: nothing new happens to an order where it is already, nor to one that has ended.
TEST(OrderRules, AdvanceTellsOnlyWhatIsNew) {
    EXPECT_TRUE(advance(Order{.progress = Progress::paid}, Progress::paid).empty());
    EXPECT_TRUE(advance(Order{.status = Status::cancelled}, Progress::paid).empty());
    EXPECT_EQ(advance(Order{}, Progress::paid).entries().size(), 1U);
    EXPECT_TRUE(advance(Order{.progress = Progress::dispatched}, Progress::confirmed).empty());
    EXPECT_EQ(advance(Order{.progress = Progress::cancelling}, Progress::confirmed).entries().size(), 1U);
}

// Goal: every event that was ever stored is read.
TEST(OrderHistory, RecordedEventsAreRead) {
    const char* source = std::getenv("FLOTILLA_SOURCE");
    ASSERT_NE(source, nullptr) << "FLOTILLA_SOURCE names the project's folder";
    const auto folder = std::filesystem::path(source) / "services/order/domain/events";
    EXPECT_EQ(faults_of_event_corpus(folder, {history::orders}), std::vector<std::string>());
}

/// An order as it was kept before orders had a history.
Result<void> old_order(Transaction& tx) {
    auto done = tx.execute("INSERT INTO orders (id, user_id, items, total, status, created_at) VALUES ('o-old', 'u-1', "
                           "'[{\"productId\":\"lamp\",\"quantity\":1,\"price\":19.99}]', 1999, 'CONFIRMED', 1)");
    if (!done) return std::move(done.error());
    done = tx.execute("DELETE FROM flotilla_migrations WHERE component = 'service.backfill'");
    if (!done) return std::move(done.error());
    return {};
}

// Goal: an order from before there was a history is read as it was, and can be taken back like any other.
TEST(OrderHistory, OldOrdersAreTold) {
    const auto folder = std::filesystem::temp_directory_path() / ("flotilla-old-order-" + std::to_string(::getpid()));
    Others others;
    {
        TestService first{install, {.seed = old_order, .fakes = shop(others), .data = folder.string()}};
    }
    TestService orders{install, {.fakes = shop(others), .data = folder.string()}};
    EXPECT_TRUE(eventually([&] { return orders.get("/orders/o-old").status == 200; }));
    const auto told = orders.get("/orders/o-old").json();
    EXPECT_EQ(told.at("status"), "CONFIRMED");
    EXPECT_EQ(told.at("total"), 19.99);
    EXPECT_EQ(orders.post("/orders/o-old/cancel", boost::json::object{}).json().at("status"), "CANCELLED");
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace order::order_test
