#include "services/inventory/inventory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include <boost/json/serialize.hpp>

#include <flotilla/base/json_value.hpp>
#include <flotilla/service/test_host.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/inventory/api/inventory.hpp"
#include "services/inventory/storage/inventory.hpp"
#include "services/product/api/product.hpp"

namespace inventory::inventory_test {
namespace {

using namespace flotilla;

using Pieces = std::initializer_list<std::pair<const char*, int>>;

auto stock_of(std::vector<std::pair<std::string, int>> pieces) {
    return [pieces](Transaction& tx) -> Result<void> {
        for (const auto& [product, available] : pieces)
            tx.insert(storage::stock, {{.product_id = product, .available = available}});
        return {};
    };
}

boost::json::array items_of(Pieces pieces) {
    boost::json::array items;
    for (const auto& [product, quantity] : pieces)
        items.push_back({{"productId", product}, {"quantity", quantity}});
    return items;
}

/// An inventory with 10 lamps and 5 ropes, or what is said.
class Shop {
public:
    explicit Shop(TestOptions options = {}) : service_(install, with_stock(std::move(options))) {}

    TestService* operator->() { return &service_; }
    TestResponse reserve(const char* order, Pieces pieces) {
        return service_.post("/reservations", {{"orderId", order}, {"items", items_of(pieces)}});
    }
    TestResponse tell(std::string order, const char* what) {
        return service_.send("POST", "/reservations/" + order + "/" + what, "", {});
    }
    boost::json::value reservation(std::string order) { return service_.get("/reservations/" + order).json(); }
    /// "8 + 2": available and reserved pieces.
    std::string stock(std::string product) {
        const auto stock = service_.get("/stock/" + product).json();
        return boost::json::serialize(stock.at("available")) + " + " + boost::json::serialize(stock.at("reserved"));
    }
    std::string next(const char* topic) { return service_.next_event(topic).payload; }

private:
    static TestOptions with_stock(TestOptions options) {
        if (!options.seed) options.seed = stock_of({{"lamp", 10}, {"rope", 5}});
        return options;
    }
    TestService service_;
};

// Goal: the stock of a product begins with the catalogue's word, once, and is told.
TEST(InventoryOpen, NewProductHasItsInitialStock) {
    Shop shop({.settings = {{"initial_stock", "7"}}});
    const product::ProductCreated made{.product_id = "p-1", .name = "Oar", .in_stock = true};
    shop->deliver(product::created, made, "event-1");
    shop->deliver(product::created, {.product_id = "p-2", .name = "Mug", .in_stock = false}, "event-2");
    shop->deliver(product::created, made, "event-3"); // announced again
    shop->deliver(product::created, {.product_id = "p-3", .name = "Cap", .in_stock = true}, "event-4");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"p-1","available":7,"version":1})");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"p-2","available":0,"version":1})");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"p-3","available":7,"version":1})");
    EXPECT_EQ(shop.stock("p-1"), "7 + 0");
    EXPECT_EQ(shop->get("/stock/p-9").json().at("code"), "stock_not_found");
}

// Goal: a check answers for all and for each product, in both forms of the request, and reserves nothing.
TEST(InventoryCheck, SaysWhetherThereIsEnoughOfEach) {
    Shop shop;
    const auto enough = shop->post("/check", {{"items", items_of({{"lamp", 10}, {"rope", 2}, {"rope", 3}})}});
    ASSERT_EQ(enough.status, 200) << enough.body;
    EXPECT_EQ(enough.body, R"({"available":true,"items":[{"productId":"lamp","quantity":10,"available":10},)"
                           R"({"productId":"rope","quantity":5,"available":5}]})");
    EXPECT_EQ(shop->post("/check", items_of({{"lamp", 10}, {"rope", 5}})).body, enough.body);
    EXPECT_EQ(shop->post("/check", items_of({{"lamp", 1}, {"rope", 6}})).body,
              R"({"available":false,"items":[{"productId":"lamp","quantity":1,"available":10},)"
              R"({"productId":"rope","quantity":6,"available":5}]})");
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");

    const auto unknown = shop->post("/check", items_of({{"lamp", 1}, {"x-9", 1}}));
    EXPECT_EQ(unknown.status, 422);
    EXPECT_EQ(unknown.json().at("error"), "No stock is kept of product x-9");
    EXPECT_EQ(shop->post("/check", boost::json::array()).json().at("code"), "no_items");
    EXPECT_EQ(shop->post("/check", items_of({{"lamp", 1001}})).json().at("errors").at(0).at("path"), "[0].quantity");
}

// Goal: a reservation sets its pieces aside, for a time, and tells who listens.
TEST(InventoryReserve, PiecesAreSetAsideAndTold) {
    Shop shop;
    const auto made = shop.reserve("o-1", {{"rope", 1}, {"lamp", 2}, {"rope", 1}});
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json().at("state"), "HELD");
    EXPECT_EQ(made.json().at("items"), boost::json::value(items_of({{"lamp", 2}, {"rope", 2}})));
    const auto until = test::value(Timestamp::parse(made.json().at("expiresAt").as_string()));
    EXPECT_EQ(until - test::value(Timestamp::parse(made.json().at("createdAt").as_string())), std::chrono::minutes(15));
    const auto read = shop->get("/reservations/o-1");
    EXPECT_EQ(read.body, made.body);
    EXPECT_EQ(read.headers.at("etag"), "\"1\"");
    EXPECT_EQ(shop.stock("lamp"), "8 + 2");
    EXPECT_EQ(shop.next("inventory.reserved"), R"({"orderId":"o-1","items":[{"productId":"lamp","quantity":2},)"
                                               R"({"productId":"rope","quantity":2}]})");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"lamp","available":8,"version":2})");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"rope","available":3,"version":2})");
}

// Goal: all of it or nothing; the answer and the event say what there is too little of, and how much there is.
TEST(InventoryReserve, OneProductTooFewReservesNothing) {
    Shop shop;
    const auto refused = shop.reserve("o-1", {{"lamp", 2}, {"rope", 6}});
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.json().at("code"), "out_of_stock");
    EXPECT_EQ(refused.json().at("error"), "Product rope (6 wanted, 5 available) out of stock");
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
    EXPECT_EQ(shop->get("/reservations/o-1").status, 404);
    EXPECT_EQ(shop.next("inventory.out-of-stock"),
              R"({"orderId":"o-1","productId":"rope","quantity":6,"available":5})");

    EXPECT_EQ(shop.reserve("o-1", {{"lamp", 1}, {"x-9", 1}}).json().at("code"), "stock_unknown");
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
    EXPECT_EQ(shop.reserve("o-1", {}).json().at("code"), "no_items");
    EXPECT_EQ(shop.reserve("o-1", {{"lamp", 2}}).status, 201) << "refused before, possible now";
}

// Goal: repeated, with its key or long after that, a reservation is the one there is.
TEST(InventoryReserve, RepeatedReservationTakesStockOnce) {
    Shop shop;
    const boost::json::value wish{{"orderId", "o-1"}, {"items", items_of({{"lamp", 2}})}};
    const auto first = shop->post("/reservations", wish, idempotency_key("k"));
    EXPECT_EQ(shop->post("/reservations", wish, idempotency_key("k")).body, first.body);
    EXPECT_EQ(shop->post("/reservations", wish).body, first.body);
    EXPECT_EQ(shop.stock("lamp"), "8 + 2");
    const auto other = shop.reserve("o-1", {{"lamp", 3}});
    EXPECT_EQ(other.status, 409);
    EXPECT_EQ(other.json().at("code"), "reservation_differs");

    const auto sold = shop.tell("o-1", "commit");
    const auto late = shop->post("/reservations", wish);
    EXPECT_EQ(late.status, 201);
    EXPECT_EQ(late.body, sold.body);
    EXPECT_EQ(shop.stock("lamp"), "8 + 0");
}

// Goal: what was sold and has not left comes back whole, once, and cannot be sold to that order again.
TEST(InventoryRelease, SoldPiecesComeBackOnce) {
    Shop shop;
    shop.reserve("o-1", {{"lamp", 2}});
    shop.tell("o-1", "commit");
    const auto released = shop.tell("o-1", "release");
    ASSERT_EQ(released.status, 200) << released.body;
    EXPECT_EQ(released.json().at("state"), "RELEASED");
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
    EXPECT_EQ(shop.tell("o-1", "release").body, released.body);
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
    EXPECT_EQ(shop.tell("o-1", "commit").json().at("code"), "reservation_released");
}

// Goal: what is committed has left the stock, once.
TEST(InventoryCommit, PiecesAreSoldOnce) {
    Shop shop;
    shop.reserve("o-1", {{"lamp", 2}});
    const auto sold = shop.tell("o-1", "commit");
    ASSERT_EQ(sold.status, 200) << sold.body;
    EXPECT_EQ(sold.json().at("state"), "COMMITTED");
    EXPECT_FALSE(sold.json().as_object().contains("expiresAt"));
    EXPECT_EQ(shop.tell("o-1", "commit").body, sold.body);
    EXPECT_EQ(shop.stock("lamp"), "8 + 0");
    EXPECT_EQ(shop.tell("o-2", "commit").json().at("code"), "reservation_not_found");
}

// Goal: what is released is back, once, and told.
TEST(InventoryRelease, PiecesComeBackOnce) {
    Shop shop;
    shop.reserve("o-1", {{"lamp", 2}});
    const auto released = shop.tell("o-1", "release");
    ASSERT_EQ(released.status, 200) << released.body;
    EXPECT_EQ(released.json().at("state"), "RELEASED");
    EXPECT_EQ(shop.tell("o-1", "release").body, released.body);
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
    EXPECT_EQ(shop.tell("o-1", "commit").json().at("code"), "reservation_released");
    EXPECT_EQ(shop.next("inventory.released"),
              R"({"orderId":"o-1","items":[{"productId":"lamp","quantity":2}],"expired":false})");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"lamp","available":8,"version":2})");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"lamp","available":10,"version":3})");
}

// Goal: a compensation may overtake the command it takes back: that one is refused when it comes at last.
TEST(InventoryRelease, ReservationThatComesAfterItsReleaseIsRefused) {
    Shop shop;
    const auto released = shop.tell("o-1", "release");
    ASSERT_EQ(released.status, 200) << released.body;
    EXPECT_EQ(released.json().at("state"), "RELEASED");
    const auto late = shop.reserve("o-1", {{"lamp", 2}});
    EXPECT_EQ(late.status, 409);
    EXPECT_EQ(late.json().at("code"), "reservation_released");
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
}

// Goal: pieces for which nobody decides come back by themselves, once.
TEST(InventoryExpiry, PiecesComeBackOnceTheirTimeIsOver) {
    Shop shop({.settings = {{"hold_s", "1"}}});
    shop.reserve("o-1", {{"lamp", 10}});
    shop.reserve("o-2", {{"rope", 1}});
    shop.tell("o-2", "commit");
    ASSERT_TRUE(eventually([&] { return shop.reservation("o-1").at("state") == "EXPIRED"; }));
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
    EXPECT_EQ(shop.next("inventory.released"),
              R"({"orderId":"o-1","items":[{"productId":"lamp","quantity":10}],"expired":true})");
    EXPECT_EQ(shop.tell("o-1", "release").json().at("state"), "RELEASED");
    EXPECT_EQ(shop.stock("lamp"), "10 + 0");
    EXPECT_EQ(shop.reservation("o-2").at("state"), "COMMITTED");
}

// Goal: who decides too late gets the pieces if they are still there: an order that is paid for goes on.
TEST(InventoryExpiry, LateCommitTakesThePiecesAgain) {
    Shop shop({.settings = {{"hold_s", "1"}}});
    shop.reserve("o-1", {{"lamp", 6}});
    shop.reserve("o-2", {{"lamp", 4}, {"rope", 1}});
    ASSERT_TRUE(eventually([&] {
        return shop.reservation("o-1").at("state") == "EXPIRED" && shop.reservation("o-2").at("state") == "EXPIRED";
    }));
    EXPECT_EQ(shop.tell("o-1", "commit").json().at("state"), "COMMITTED");
    EXPECT_EQ(shop.stock("lamp"), "4 + 0");
    EXPECT_EQ(shop.reserve("o-2", {{"lamp", 4}, {"rope", 1}}).json().at("state"), "HELD");
    EXPECT_EQ(shop.stock("lamp"), "0 + 4");
    ASSERT_TRUE(eventually([&] { return shop.reservation("o-2").at("state") == "EXPIRED"; }));
    EXPECT_EQ(shop.reserve("o-3", {{"lamp", 1}}).status, 201);
    EXPECT_EQ(shop.tell("o-2", "commit").json().at("code"), "out_of_stock");
}

// Goal: finished reservations leave after their time, round by round; others stay.
TEST(InventoryForget, OldReservationsLeave) {
    const auto seed = [](Transaction& tx) -> Result<void> {
        for (int i = 0; i < 250; ++i) {
            const auto long_ago = tx.now() - std::chrono::days(i < 249 ? 31 : 29);
            tx.insert(storage::reservations, {{.order_id = "o-" + std::to_string(i),
                                               .state = State::released,
                                               .created_at = long_ago,
                                               .finished_at = long_ago}});
        }
        return {};
    };
    Shop shop({.seed = seed, .settings = {{"keep_days", "30"}}});
    ASSERT_TRUE(eventually([&] { return shop->get("/reservations/o-0").status == 404; }));
    ASSERT_TRUE(eventually([&] { return shop->get("/reservations/o-248").status == 404; }));
    EXPECT_EQ(shop->get("/reservations/o-249").status, 200);
}

// Goal: new pieces can be reserved, and are told; the same key brings them once.
TEST(InventoryRestock, PiecesAreAddedOnce) {
    Shop shop;
    const auto first = shop->post("/stock/rope/restock", {{"quantity", 20}}, idempotency_key("delivery-7"));
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.body, R"({"productId":"rope","available":25,"reserved":0})");
    EXPECT_EQ(shop->post("/stock/rope/restock", {{"quantity", 20}}, idempotency_key("delivery-7")).body, first.body);
    const auto now = shop->get("/stock/rope");
    EXPECT_EQ(now.body, first.body);
    EXPECT_EQ(now.headers.at("etag"), "\"2\"");
    EXPECT_EQ(shop.next("inventory.changed"), R"({"productId":"rope","available":25,"version":2})");
    EXPECT_EQ(shop->post("/stock/x-9/restock", {{"quantity", 1}}).status, 404);
    EXPECT_EQ(shop->post("/stock/rope/restock", {{"quantity", 0}}).status, 400);
}

// Goal: paging walks over every product once.
TEST(InventoryStock, PagesCoverTheStock) {
    Shop shop;
    const auto first = shop->get("/stock?limit=1").json();
    EXPECT_EQ(first.at("items").at(0).at("productId"), "lamp");
    const auto second = shop->get("/stock?limit=1&after=" + std::string(first.at("next").as_string())).json();
    EXPECT_EQ(second.at("items").at(0).at("productId"), "rope");
    EXPECT_FALSE(second.as_object().contains("next"));
}

// Goal: whatever a rule forgot, the table itself holds no fewer pieces than none.
TEST(InventoryStock, TableRefusesANegativeStock) {
    for (const Stock& stock : {Stock{.product_id = "lamp", .available = -1}, {.product_id = "lamp", .reserved = -1}}) {
        const auto seed = [stock](Transaction& tx) -> Result<void> {
            tx.insert(storage::stock, {stock});
            return {};
        };
        try {
            Shop shop({.seed = seed});
            ADD_FAILURE() << "took " << stock.available << " + " << stock.reserved;
        } catch (const std::runtime_error& refused) {
            EXPECT_TRUE(std::string_view(refused.what()).contains("CHECK constraint failed")) << refused.what();
        }
    }
}

// Goal: of 1,000 buyers who want one of 100 pieces at the same time exactly 100 get theirs.
TEST(InventoryRace, ThousandBuyersShareAHundredPieces) {
    Shop shop({.seed = stock_of({{"lamp", 100}})});
    test::Bench buyers;
    std::map<int, int> answered;
    std::vector<std::string> waiting;
    for (int i = 0; i < 1000; ++i)
        waiting.push_back(json::write(Reserve{"o-" + std::to_string(i), {{"lamp", 1}}}));
    while (!waiting.empty()) {
        std::vector<std::optional<Result<http::Response>>> answers(waiting.size());
        for (std::size_t i = 0; i < waiting.size(); ++i)
            buyers.begin(shop->address(), test::request_of("POST", "/reservations", waiting[i]), answers[i]);
        ASSERT_TRUE(buyers.eventually(
            [&] { return std::ranges::all_of(answers, [](const auto& answer) { return answer.has_value(); }); }));
        std::vector<std::string> shed; // told to come again by a server that has too much to do
        for (std::size_t i = 0; i < waiting.size(); ++i) {
            ASSERT_TRUE(*answers[i]) << (*answers[i]).error().message();
            const auto& answer = **answers[i];
            if (answer.head.status == 503)
                shed.push_back(waiting[i]);
            else
                ++answered[answer.head.status];
        }
        waiting = std::move(shed);
    }
    EXPECT_EQ(answered, (std::map<int, int>{{201, 100}, {409, 900}}));
    EXPECT_EQ(shop.stock("lamp"), "0 + 100");
}

} // namespace
} // namespace inventory::inventory_test
