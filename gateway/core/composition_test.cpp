#include "gateway/core/composition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::composition_test {
namespace {

using testing::HasSubstr;

constexpr const char* kDashboard = R"(
compositions:
  - match: {path: "/api/users/{id}/dashboard"}
    answer:
      user: {get: "user-service/users/{id}"}
      orders: {get: "order-service/orders?userId={id}", required: false, timeout: 200ms}
)";

http::Handler answering(int status, std::string body) {
    return [status, body](Context& context, http::Exchange& exchange) -> task<void> {
        http::ResponseHead head{.status = status, .headers = {}};
        head.headers.add("content-type", status < 400 ? "application/json" : "application/problem+json");
        std::ignore = co_await exchange.respond(context, head, body);
    };
}

std::string value(const http::Response& response, std::string_view name) {
    return std::string(response.head.headers.get(name).value_or("(absent)"));
}

// Goal: both answers stand side by side, exactly as the services wrote them.
TEST(GatewayComposition, BothBranchesAreEmbedded) {
    TestFleet fleet;
    auto& users = fleet.serve_noting("user-service", R"({"id":"42", "total":1.10})");
    auto& orders = fleet.serve_noting("order-service", "[ ]");
    fleet.start(kDashboard);
    const auto response = fleet.send(
        Method::get, "/api/users/42/dashboard", "",
        {{"Authorization", "Bearer t"}, {"If-None-Match", "x"}, {"Accept-Encoding", "gzip"}, {"Range", "bytes=0-1"}});
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.body, R"({"user":{"id":"42", "total":1.10},"orders":[ ]})");
    EXPECT_EQ(value(response, "content-type"), "application/json");
    EXPECT_NE(value(response, "x-request-id"), "(absent)");
    ASSERT_EQ(users.size(), 1u);
    ASSERT_EQ(orders.size(), 1u);
    EXPECT_EQ(users[0].head.target, "/users/42");
    EXPECT_EQ(orders[0].head.target, "/orders?userId=42");
    const auto& sent = users[0].head.headers;
    EXPECT_EQ(sent.get("authorization").value_or(""), "Bearer t");
    EXPECT_EQ(sent.get("x-forwarded-for").value_or(""), "127.0.0.1");
    EXPECT_EQ(sent.get("x-request-id").value_or(""), value(response, "x-request-id"));
    for (const auto* own : {"if-none-match", "accept-encoding", "range"})
        EXPECT_FALSE(sent.has(own)) << own;
    EXPECT_EQ(fleet.send(Method::head, "/api/users/42/dashboard").body, "");
    EXPECT_EQ(fleet.send(Method::post, "/api/users/42/dashboard", "{}").status(), 405);
}

// Goal: the branches run at the same time: each waits here until the other has arrived.
TEST(GatewayComposition, BranchesRunInParallel) {
    TestFleet fleet;
    Event user_came, order_came;
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        user_came.notify();
        const bool met = (co_await order_came.wait(context)).has_value();
        std::ignore = co_await exchange.respond(context, {}, met ? "1" : "0");
    });
    fleet.serve("order-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        order_came.notify();
        const bool met = (co_await user_came.wait(context)).has_value();
        std::ignore = co_await exchange.respond(context, {}, met ? "2" : "0");
    });
    fleet.start(kDashboard);
    EXPECT_EQ(fleet.get("/api/users/42/dashboard").body, R"({"user":1,"orders":2})");
}

// Goal: what a required branch says about the request is the answer.
TEST(GatewayComposition, RequiredBranchNotFoundPassesThrough) {
    TestFleet fleet;
    fleet.serve("user-service", answering(404, R"({"status":404,"error":"User not found"})"));
    fleet.serve_noting("order-service", "[]");
    fleet.start(kDashboard);
    const auto response = fleet.get("/api/users/42/dashboard");
    EXPECT_EQ(response.status(), 404);
    EXPECT_EQ(response.body, R"({"status":404,"error":"User not found"})");
    EXPECT_EQ(value(response, "content-type"), "application/problem+json");
}

// Goal: an optional branch that is dead, failing, hanging or talking nonsense becomes null and is named.
TEST(GatewayComposition, FailedOptionalBranchDegrades) {
    const auto degraded = R"({"user":{},"orders":null,"degraded":["orders"]})";
    const auto body_with = [&](const std::function<void(TestFleet&)>& orders) {
        TestFleet fleet;
        fleet.serve_noting("user-service", "{}");
        orders(fleet);
        fleet.start(kDashboard);
        const auto response = fleet.get("/api/users/42/dashboard");
        EXPECT_EQ(response.status(), 200);
        return response.body;
    };
    EXPECT_EQ(body_with([](TestFleet& fleet) { fleet.serve_dead("order-service"); }), degraded);
    EXPECT_EQ(body_with([](TestFleet&) {}), degraded);
    EXPECT_EQ(body_with([](TestFleet& fleet) { fleet.serve("order-service", answering(500, "{}")); }), degraded);
    EXPECT_EQ(body_with([](TestFleet& fleet) { fleet.serve_noting("order-service", R"([1}, "admin":[true])"); }),
              degraded);
    EXPECT_EQ(body_with([](TestFleet& fleet) { fleet.serve_noting("order-service", R"(1,"user":2)"); }), degraded);
    EXPECT_EQ(body_with([](TestFleet& fleet) {
                  fleet.serve_script("order-service", [](Context& context, Stream&) -> task<void> {
                      Event never;
                      std::ignore = co_await never.wait(context);
                  });
              }),
              degraded);
    EXPECT_EQ(body_with([](TestFleet& fleet) { fleet.serve("order-service", answering(204, "")); }),
              R"({"user":{},"orders":null})");
}

// Goal: without a required branch there is no answer, and the status says why.
TEST(GatewayComposition, FailedRequiredBranchEndsTheWhole) {
    const auto response_with = [&](const std::function<void(TestFleet&)>& users, const char* yaml) {
        TestFleet fleet;
        users(fleet);
        fleet.serve_noting("order-service", "[]");
        fleet.start(yaml);
        return fleet.get("/api/users/42/dashboard");
    };
    const auto dead = [](TestFleet& fleet) { fleet.serve_dead("user-service"); };
    EXPECT_EQ(response_with(dead, kDashboard).status(), 502);
    EXPECT_EQ(response_with([](TestFleet&) {}, kDashboard).status(), 503);
    EXPECT_EQ(
        response_with([](TestFleet& fleet) { fleet.serve("user-service", answering(500, "{}")); }, kDashboard).status(),
        502);
    EXPECT_EQ(
        response_with([](TestFleet& fleet) { fleet.serve("user-service", answering(302, "")); }, kDashboard).status(),
        502);
    EXPECT_EQ(
        response_with([](TestFleet& fleet) { fleet.serve_noting("user-service", "nonsense"); }, kDashboard).status(),
        502);

    const auto configured = response_with(dead, R"(
compositions:
  - match: {path: "/api/users/{id}/dashboard"}
    answer:
      user: {get: "user-service/users/{id}"}
      orders: {get: "order-service/orders?userId={id}"}
    on_failure: {status: 500, error: Failed to fetch dashboard}
)");
    EXPECT_EQ(configured.status(), 500);
    EXPECT_THAT(configured.body, HasSubstr(R"("error":"Failed to fetch dashboard")"));
    EXPECT_THAT(configured.body, HasSubstr(R"("instance":"/api/users/42/dashboard","traceId":")"));
    EXPECT_EQ(value(configured, "content-type"), "application/problem+json");
}

// Goal: a branch that fails is answered with its last good answer, to whom it was given, and the whole says so.
TEST(GatewayComposition, LastGoodAnswerStandsInAndIsCalledStale) {
    TestFleet fleet;
    int status = 200;
    fleet.serve("user-service", [&status](Context& context, http::Exchange& exchange) -> task<void> {
        http::ResponseHead head{.status = status, .headers = {}};
        head.headers.add("content-type", "application/json");
        std::ignore = co_await exchange.respond(context, head, R"({"at":")" + exchange.request().target + "\"}");
    });
    fleet.serve_noting("order-service", "[]");
    fleet.start(R"(
compositions:
  - match: {path: "/api/users/{id}/dashboard"}
    answer:
      user: {get: "user-service/users/{id}", fallback: {age_max: 60s}}
      orders: {get: "order-service/orders?userId={id}"}
)");
    const auto dashboard = [&](const std::string& id, std::vector<std::pair<std::string, std::string>> headers = {}) {
        return fleet.send(Method::get, "/api/users/" + id + "/dashboard", "", std::move(headers));
    };
    const auto fresh = R"({"user":{"at":"/users/42"},"orders":[]})";
    const auto stale = R"({"user":{"at":"/users/42"},"orders":[],"stale":["user"]})";
    EXPECT_EQ(dashboard("42").body, fresh);
    EXPECT_EQ(value(dashboard("42"), "age"), "(absent)");

    status = 500;
    const auto answered = dashboard("42");
    EXPECT_EQ(answered.status(), 200);
    EXPECT_EQ(answered.body, stale);
    EXPECT_EQ(value(answered, "age"), "0");
    EXPECT_THAT(fleet.metrics().prometheus_text(),
                HasSubstr("fallback_stale_answers_total{upstream=\"user-service\"} 1\n"));
    EXPECT_EQ(dashboard("43").status(), 502);                                      // never answered
    EXPECT_EQ(dashboard("42", {{"authorization", "Bearer other"}}).status(), 502); // not to this one
    EXPECT_EQ(dashboard("42", {{"cookie", "session=1"}}).status(), 502);

    status = 429; // is an answer, but says nothing of the user
    EXPECT_EQ(dashboard("42").status(), 429);
    status = 500;
    EXPECT_EQ(dashboard("42").body, stale);

    status = 404; // is an answer, and the end of what was so before
    EXPECT_EQ(dashboard("42").status(), 404);
    status = 500;
    EXPECT_EQ(dashboard("42").status(), 502);
    status = 200;
    EXPECT_EQ(dashboard("42").body, fresh);
}

// Goal: a service that hangs leaves time for the answer without it.
TEST(GatewayComposition, LastGoodAnswerStandsInForOneThatHangs) {
    TestFleet fleet;
    bool hangs = false;
    fleet.serve("user-service", [&hangs](Context& context, http::Exchange& exchange) -> task<void> {
        Event never;
        if (hangs) std::ignore = co_await never.wait(context);
        std::ignore = co_await exchange.respond(context, {}, "{}");
    });
    fleet.start(R"(
compositions:
  - match: {path: "/users/{id}"}
    answer:
      user: {get: "user-service/users/{id}", fallback: {age_max: 60s}}
    timeout: 200ms
)");
    EXPECT_EQ(fleet.get("/users/42").body, R"({"user":{}})");
    hangs = true;
    EXPECT_EQ(fleet.get("/users/42").body, R"({"user":{},"stale":["user"]})");
    EXPECT_EQ(fleet.get("/users/43").status(), 504);
}

// Goal: a slow required branch ends at its own timeout.
TEST(GatewayComposition, SlowRequiredBranchIsTimedOut) {
    TestFleet fleet;
    fleet.serve_script("user-service", [](Context& context, Stream&) -> task<void> {
        Event never;
        std::ignore = co_await never.wait(context);
    });
    fleet.start(R"(
compositions:
  - match: {path: "/users/{id}"}
    answer:
      user: {get: "user-service/users/{id}", timeout: 20ms}
)");
    EXPECT_EQ(fleet.get("/users/42").status(), 504);
}

// Goal: a hostile id stays in its place: it adds no parameter, no path segment and no field.
TEST(GatewayComposition, HostileIdStaysInItsPlace) {
    TestFleet fleet;
    auto& users = fleet.serve_noting("user-service", "{}");
    auto& orders = fleet.serve_noting("order-service", "[]");
    fleet.start(kDashboard);
    for (const std::string id :
         {"42&limit=1", "42%26limit=1", "..a%2Fadmin", "a%3Fb%23c", "%0d%0aX-Evil:%201", "a+b"}) {
        EXPECT_EQ(fleet.get("/api/users/" + id + "/dashboard").status(), 200) << id;
    }
    ASSERT_EQ(users.size(), 6u);
    EXPECT_EQ(orders[0].head.target, "/orders?userId=42%26limit%3D1");
    EXPECT_EQ(orders[1].head.target, "/orders?userId=42%26limit%3D1");
    EXPECT_EQ(users[2].head.target, "/users/..a%2Fadmin");
    EXPECT_EQ(orders[2].head.target, "/orders?userId=..a%2Fadmin");
    EXPECT_EQ(users[3].head.target, "/users/a%3Fb%23c");
    EXPECT_EQ(users[4].head.target, "/users/%0D%0AX-Evil:%201");
    EXPECT_FALSE(users[4].head.headers.has("x-evil"));
    EXPECT_EQ(orders[5].head.target, "/orders?userId=a%2Bb");
    EXPECT_EQ(fleet.get("/api/users/%00/dashboard").status(), 400);
    EXPECT_EQ(fleet.get("/api/users/..%2F..%2Fadmin/dashboard").status(), 400);
    EXPECT_EQ(fleet.get("/api/users/../dashboard").status(), 404);
}

} // namespace
} // namespace flotilla::gateway::composition_test
