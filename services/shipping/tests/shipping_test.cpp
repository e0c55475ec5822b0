#include "services/shipping/shipping.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/order/api/order.hpp"
#include "services/shipping/api/shipping.hpp"
#include "services/shipping/domain/shipping_rules.hpp"

namespace shipping::shipping_test {
namespace {

using namespace flotilla;

using Settings = std::map<std::string, std::string, std::less<>>;
const Settings kAtOnce{{"dispatch_s", "0"}, {"transit_s", "0"}, {"delivery_s", "0"}};
const Settings kNever{{"dispatch_s", "86400"}};

boost::json::value lamps(int quantity) { return {{{"productId", "lamp"}, {"quantity", quantity}}}; }
boost::json::value shipment_of(const char* order, const char* country = "DE") {
    return {{"orderId", order}, {"userId", "u-1"}, {"items", lamps(2)}, {"address", {{"country", country}}}};
}
std::string status_of(TestService& shipments, const std::string& order) {
    return std::string(shipments.get("/shipments/" + order).json().at("status").as_string());
}

// Goal: the tariff is what it says: zone and weight, each kilogram that has begun.
TEST(ShippingTariff, ZoneAndWeightDecide) {
    const auto cents = [](int quantity, std::optional<int> grams, const char* country) {
        Line line{.product_id = "lamp", .quantity = quantity};
        if (grams) line.weight_g = *grams;
        return price_of({line}, Address{.country = country}).value().price.cents();
    };
    EXPECT_EQ(cents(1, {}, "DE"), 490);
    EXPECT_EQ(cents(2, {}, "DE"), 490);
    EXPECT_EQ(cents(3, {}, "DE"), 540);
    EXPECT_EQ(cents(1, 1000, "FR"), 990);
    EXPECT_EQ(cents(1, 1001, "FR"), 1110);
    EXPECT_EQ(cents(1000, 100'000, "US"), 2490 + 99'999LL * 480);
    EXPECT_EQ(price_of({Line{}}, std::nullopt).value().days, 2) << "no address is the shop's own country";
}

// Goal: what is not in the tariff is refused, also what looks like it.
TEST(ShippingTariff, OtherCountriesAreNotServed) {
    for (const auto* country : {"AQ", "XF", "de", "E ", " B", "ÄÖ"}) {
        const auto refused = price_of({Line{}}, Address{.country = country});
        ASSERT_FALSE(refused) << country;
        EXPECT_EQ(refused.error().code(), "address_not_served");
    }
    EXPECT_EQ(price_of({}, std::nullopt).error().code(), "no_items");
    EXPECT_EQ(price_of(std::vector<Line>(101), std::nullopt).error().code(), "no_items");
}

// Goal: a shipment goes down its stages and no other way.
TEST(ShippingTracking, CancelledOnlyBeforeItLeft) {
    Shipment shipment{.order_id = "o-1"};
    for (const auto status : {Status::dispatched, Status::in_transit, Status::delivered}) {
        ASSERT_TRUE(moves_on(shipment.status));
        shipment = advanced(std::move(shipment), Timestamp(1));
        EXPECT_EQ(shipment.status, status);
        EXPECT_EQ(cancelled_shipment(shipment, Timestamp(2)).error().code(), "already_dispatched");
    }
    EXPECT_FALSE(moves_on(Status::delivered));
    EXPECT_FALSE(moves_on(Status::cancelled));
    EXPECT_EQ(shipment.history.size(), 3U);
}

// Goal: a quote is the price that the shipment then has.
TEST(ShippingQuote, IsThePriceOfTheShipment) {
    TestService shipments{install, {.settings = kNever}};
    const auto quote = shipments.post("/quotes", {{"items", lamps(2)}, {"address", {{"country", "FR"}}}});
    ASSERT_EQ(quote.status, 200) << quote.body;
    EXPECT_EQ(quote.body, R"({"price":9.9,"days":4})");
    const auto made = shipments.post("/shipments", shipment_of("o-1", "FR"));
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json().at("price"), quote.json().at("price"));
    EXPECT_FALSE(made.body.contains("FR")) << "an address is not told";
    const auto refused = shipments.post("/quotes", {{"items", lamps(1)}, {"address", {{"country", "AQ"}}}});
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(refused.json().at("error"), "We do not ship to AQ");
}

// Goal: it is scheduled once whatever comes again, with or without its key, and told once.
TEST(ShippingSchedule, RepeatedCommandSchedulesOnce) {
    TestService shipments{install, {.settings = kNever}};
    const auto first = shipments.post("/shipments", shipment_of("o-1"), idempotency_key("k"));
    ASSERT_EQ(first.status, 201) << first.body;
    for (const auto* key : {"k", "another"}) {
        const auto again = shipments.post("/shipments", shipment_of("o-1"), idempotency_key(key));
        EXPECT_EQ(again.status, 201);
        EXPECT_EQ(again.body, first.body);
    }
    EXPECT_EQ(shipments.get("/shipments/o-1").body, first.body);
    const auto event = shipments.next_event("shipping.scheduled");
    EXPECT_EQ(event.payload, R"({"orderId":"o-1","userId":"u-1","status":"SCHEDULED","days":2})");
    EXPECT_EQ(event.key, "o-1");
    ASSERT_EQ(shipments.post("/shipments", shipment_of("o-2")).status, 201);
    EXPECT_EQ(shipments.next_event("shipping.scheduled").key, "o-2");
    EXPECT_EQ(shipments.get("/shipments/o-9").status, 404);
}

/// Returns once the shipment may leave.
void confirm(TestService& shipments, const std::string& order) {
    shipments.deliver(order::confirmed, {.order_id = order, .user_id = "u-1"}, "confirmed-" + order, "order-service");
    ASSERT_TRUE(eventually([&] {
        return shipments.get("/metrics")
            .body.contains(R"(flotilla_inbox_handled_total{consumer="service-under-test",topic="order.confirmed"} 1)");
    }));
}

// Goal: nothing leaves before its order is confirmed.
TEST(ShippingTracking, UnconfirmedOrderDoesNotLeave) {
    TestService shipments{install, {.settings = kAtOnce}};
    ASSERT_EQ(shipments.post("/shipments", shipment_of("o-1")).status, 201);
    ASSERT_EQ(shipments.post("/shipments", shipment_of("o-2")).status, 201);
    confirm(shipments, "o-2");
    ASSERT_TRUE(eventually([&] { return status_of(shipments, "o-2") == "DELIVERED"; }));
    EXPECT_EQ(status_of(shipments, "o-1"), "SCHEDULED");
}

// Goal: the timers take it all the way, each stage once and in order, and each is told.
TEST(ShippingTracking, TimersTakeItAllTheWay) {
    TestService shipments{install, {.settings = kAtOnce}};
    ASSERT_EQ(shipments.post("/shipments", shipment_of("o-1")).status, 201);
    confirm(shipments, "o-1");
    ASSERT_TRUE(eventually([&] { return status_of(shipments, "o-1") == "DELIVERED"; }));
    std::string stages;
    const auto shipment = shipments.get("/shipments/o-1").json();
    for (const auto& step : shipment.at("history").as_array())
        stages += std::string(step.at("status").as_string()) + " ";
    EXPECT_EQ(stages, "SCHEDULED DISPATCHED IN_TRANSIT DELIVERED ");
    for (const auto* topic : {"shipping.scheduled", "shipping.dispatched", "shipping.delivered"}) {
        const auto event = shipments.next_event(topic);
        EXPECT_EQ(event.key, "o-1") << topic;
        EXPECT_EQ(event.sequence, 1U) << topic;
    }
    const auto late = shipments.post("/shipments/o-1/cancel", nullptr);
    EXPECT_EQ(late.status, 409);
    EXPECT_EQ(late.json().at("code"), "already_dispatched");
}

/// As a process leaves it that ends after the timer has fired and before anything came of it.
Result<void> fired(Transaction& tx) {
    auto changed = tx.execute("UPDATE flotilla_jobs SET state = 'running', due_at = 1, attempts = 1, failures = 1");
    if (!changed) return std::move(changed.error());
    if (*changed != 1) return Error(Kind::internal, "there is one timer");
    return {};
}

// Goal: a stop between a timer's firing and its effect loses nothing and repeats nothing.
TEST(ShippingTracking, StopBetweenFiringAndActingAdvancesOnce) {
    const auto folder = std::filesystem::temp_directory_path() / ("flotilla-shipping-" + std::to_string(::getpid()));
    {
        TestService shipments{install, {.settings = kNever, .data = folder.string()}};
        ASSERT_EQ(shipments.post("/shipments", shipment_of("o-1")).status, 201);
        confirm(shipments, "o-1");
    }
    {
        TestService shipments{install, {.seed = fired, .settings = {{"transit_s", "86400"}}, .data = folder.string()}};
        ASSERT_TRUE(eventually([&] { return status_of(shipments, "o-1") == "DISPATCHED"; }));
        EXPECT_EQ(shipments.next_event("shipping.dispatched").key, "o-1");
    }
    {
        TestService shipments{install, {.settings = {{"transit_s", "86400"}}, .data = folder.string()}};
        ASSERT_EQ(shipments.get("/readyz").status, 200);
        EXPECT_EQ(shipments.get("/shipments/o-1").json().at("history").as_array().size(), 2U);
    }
    std::filesystem::remove_all(folder);
}

// Goal: a shipment that was cancelled stays where it is when its timer fires.
TEST(ShippingCancel, TimerOfACancelledShipmentDoesNothing) {
    const auto folder = std::filesystem::temp_directory_path() / ("flotilla-shipping-c-" + std::to_string(::getpid()));
    {
        TestService shipments{install, {.settings = kNever, .data = folder.string()}};
        ASSERT_EQ(shipments.post("/shipments", shipment_of("o-1")).status, 201);
        confirm(shipments, "o-1");
        const auto cancelled = shipments.post("/shipments/o-1/cancel", nullptr);
        ASSERT_EQ(cancelled.status, 200) << cancelled.body;
        EXPECT_EQ(cancelled.json().at("status"), "CANCELLED");
        EXPECT_EQ(shipments.post("/shipments/o-1/cancel", nullptr).body, cancelled.body);
        EXPECT_EQ(shipments.next_event("shipping.cancelled").payload,
                  R"({"orderId":"o-1","userId":"u-1","status":"CANCELLED","days":2})");
        EXPECT_EQ(shipments.post("/shipments", shipment_of("o-1")).json().at("code"), "shipment_cancelled");
    }
    {
        TestService shipments{install, {.seed = fired, .settings = kAtOnce, .data = folder.string()}};
        ASSERT_TRUE(eventually([&] {
            return shipments.get("/metrics")
                .body.contains(R"(flotilla_jobs_tries_total{kind="advance_shipment",outcome="done"} 1)");
        }));
        EXPECT_EQ(status_of(shipments, "o-1"), "CANCELLED");
    }
    std::filesystem::remove_all(folder);
}

// Goal: cancelling what never was is fine and final: a command that comes late is refused.
TEST(ShippingCancel, LateCommandAfterItsCancellationIsRefused) {
    TestService shipments{install, {.settings = kAtOnce}};
    const auto cancelled = shipments.post("/shipments/o-1/cancel", nullptr);
    ASSERT_EQ(cancelled.status, 200) << cancelled.body;
    EXPECT_EQ(cancelled.json().at("status"), "CANCELLED");
    EXPECT_EQ(shipments.post("/shipments/o-1/cancel", nullptr).body, cancelled.body);
    const auto late = shipments.post("/shipments", shipment_of("o-1"));
    EXPECT_EQ(late.status, 409);
    EXPECT_EQ(late.json().at("code"), "shipment_cancelled");
    EXPECT_EQ(status_of(shipments, "o-1"), "CANCELLED");
}

// Goal: the sandbox fails for a while, for each order anew, and then does what it was asked.
TEST(ShippingSandbox, CarrierIsAwayAtFirst) {
    TestService shipments{install, {.settings = kNever}};
    for (const auto* order : {"o-1", "o-2"}) {
        for (int attempt = 0; attempt < 2; ++attempt) {
            const auto away = shipments.post("/shipments", shipment_of(order, "XT"), idempotency_key(order));
            EXPECT_EQ(away.status, 503);
            EXPECT_EQ(away.json().at("code"), "carrier_unavailable");
            EXPECT_EQ(shipments.get(std::string("/shipments/") + order).status, 404);
        }
        EXPECT_EQ(shipments.post("/shipments", shipment_of(order, "XT"), idempotency_key(order)).status, 201);
    }
}

// Goal: every bad field is named at once.
TEST(ShippingSchedule, BadRequestNamesEveryField) {
    TestService shipments{install, {.settings = kNever}};
    const auto refused = shipments.post("/shipments", {{"orderId", ""},
                                                       {"userId", "u-1"},
                                                       {"items", {{{"productId", "lamp"}, {"quantity", 0}}}},
                                                       {"address", {{"country", "DEU"}}}});
    ASSERT_EQ(refused.status, 400) << refused.body;
    const auto errors = refused.json().at("errors").as_array();
    ASSERT_EQ(errors.size(), 3U) << refused.body;
    EXPECT_EQ(errors[0].at("path"), "orderId");
    EXPECT_EQ(errors[1].at("path"), "items[0].quantity");
    EXPECT_EQ(errors[2].at("path"), "address.country");
}

} // namespace
} // namespace shipping::shipping_test
