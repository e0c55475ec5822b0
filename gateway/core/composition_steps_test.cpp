// Compositions whose branches depend on each other, or write.
#include "gateway/core/composition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::composition_steps_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPosts = R"(
compositions:
  - match: {path: "/api/users/{id}/posts"}
    answer:
      user: {get: "user-service/users/{id}"}
      posts: {get: "post-service/posts?userId={user.id}"}
)";

constexpr const char* kCheckout = R"(
compositions:
  - match: {path: /api/checkout, method: POST}
    answer:
      user: {get: "user-service/users/{body.userId}"}
      availability:
        post: inventory-service/check
        safe: true
        body: {items: "{body.items}"}
        expect:
          members: {available: true}
          status: 409
          code: out_of_stock
          error: Not enough in stock
      order:
        post: order-service/orders
        body: {userId: "{user.id}", items: "{body.items}", note: "{body.note?}", contact: "{user.name} <{user.email}>"}
      confirmation:
        post: notification-service/orders/{order.id}/confirmation
        required: false
    result: order
)";

constexpr const char* kItems = R"([{"productId":"p-1", "quantity":2, "at":1.10}])";

std::string value(const http::Response& response, std::string_view name) {
    return std::string(response.head.headers.get(name).value_or("(absent)"));
}

/// A service by what it answers, and what it was asked, in the order of all services.
struct Backend {
    int status = 200;
    std::string body;
    std::vector<TestFleet::Arrived> arrived = {};
};

class CompositionSteps : public testing::Test {
protected:
    void serve(const std::string& service, Backend& backend) {
        fleet.serve(service, [this, service, &backend](Context& context, http::Exchange& exchange) -> task<void> {
            auto body = co_await exchange.read_all(context);
            backend.arrived.push_back({exchange.request(), body.value_or("(cut)"), {}});
            calls.push_back(service);
            http::ResponseHead head{.status = backend.status};
            head.headers.add("content-type", backend.status < 400 ? "application/json" : "application/problem+json");
            std::ignore = co_await exchange.respond(context, head, backend.body);
        });
    }
    void start_checkout() {
        serve("user-service", users);
        serve("inventory-service", inventory);
        serve("order-service", orders);
        serve("notification-service", notifications);
        fleet.start(kCheckout);
    }
    http::Response check_out(std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
        if (!body.empty()) headers.emplace_back("content-type", "application/json");
        return fleet.send(Method::post, "/api/checkout", std::move(body), std::move(headers));
    }
    http::Response check_out() { return check_out(R"({"userId":"u-1","items":)" + std::string(kItems) + "}"); }

    Backend users{.body = R"({"id":"u-1","name":"Ada \"A\"","email":"ada@example.com"})"};
    Backend inventory{.body = R"({"available":true})"};
    Backend orders{.status = 201, .body = R"({"id":"o/1","status":"PENDING"})"};
    Backend notifications{.status = 202, .body = ""};
    std::vector<std::string> calls;
    TestFleet fleet;
};

// Goal: a branch that refers to an earlier answer is called with what that says, after it, and not without it.
TEST_F(CompositionSteps, BranchIsAskedForWhatWasFound) {
    Backend posts{.body = R"({"items":[ ]})"};
    serve("user-service", users);
    serve("post-service", posts);
    fleet.start(kPosts);
    users.body = R"({"name":{"id":"no"},"id" : "a&b\u0020c" })";
    const auto response = fleet.get("/api/users/42/posts");
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.body, R"({"user":{"name":{"id":"no"},"id" : "a&b\u0020c" },"posts":{"items":[ ]}})");
    ASSERT_EQ(posts.arrived.size(), 1u);
    EXPECT_EQ(posts.arrived[0].head.target, "/posts?userId=a%26b%20c");
    EXPECT_THAT(calls, ElementsAre("user-service", "post-service"));

    users.status = 404;
    users.body = R"({"error":"User not found"})";
    const auto missing = fleet.get("/api/users/43/posts");
    EXPECT_EQ(missing.status(), 404);
    EXPECT_EQ(missing.body, users.body);
    users.status = 200;
    for (const auto* without : {R"({"name":"Ada"})", R"({"id":{"of":1}})", R"({"id":null})", R"(["id"])", ""}) {
        users.body = without;
        EXPECT_EQ(fleet.get("/api/users/44/posts").status(), 502) << without;
    }
    EXPECT_EQ(posts.arrived.size(), 1u) << "nobody was found to ask for";
}

// Goal: steps run in their order, each with what the earlier ones gave; the answer is the result's own.
TEST_F(CompositionSteps, OrderGoesThroughItsSteps) {
    start_checkout();
    const auto response = check_out(R"({"userId":"u 1","items":)" + std::string(kItems) + R"(,"note":"by \"noon\""})");
    EXPECT_EQ(response.status(), 201) << response.body;
    EXPECT_EQ(response.body, orders.body);
    EXPECT_EQ(value(response, "content-type"), "application/json");
    EXPECT_NE(value(response, "x-request-id"), "(absent)");
    ASSERT_EQ(calls.size(), 4u);
    EXPECT_THAT(std::vector(calls.begin() + 2, calls.end()), ElementsAre("order-service", "notification-service"));
    EXPECT_EQ(users.arrived[0].head.target, "/users/u%201");
    EXPECT_EQ(users.arrived[0].body, "");
    EXPECT_EQ(inventory.arrived[0].head.method, Method::post);
    EXPECT_EQ(inventory.arrived[0].body, R"({"items":)" + std::string(kItems) + "}");
    EXPECT_EQ(orders.arrived[0].head.headers.get("content-type"), "application/json");
    EXPECT_EQ(orders.arrived[0].body, R"({"userId":"u-1","items":)" + std::string(kItems) +
                                          R"(,"note":"by \"noon\"","contact":"Ada \"A\" <ada@example.com>"})");
    EXPECT_EQ(notifications.arrived[0].head.target, "/orders/o%2F1/confirmation");
    EXPECT_EQ(notifications.arrived[0].body, "");

    EXPECT_EQ(check_out().status(), 201);
    EXPECT_THAT(orders.arrived[1].body, testing::Not(HasSubstr("note"))) << "what may be absent, and is, is left out";
}

// Goal: the first required step that fails is the answer, and nothing behind it happens.
TEST_F(CompositionSteps, FirstFailureIsTheAnswerAndEndsTheRest) {
    start_checkout();
    inventory.body = R"({"available":false})";
    const auto sold_out = check_out();
    EXPECT_EQ(sold_out.status(), 409);
    EXPECT_THAT(sold_out.body, HasSubstr(R"("code":"out_of_stock")"));
    EXPECT_THAT(sold_out.body, HasSubstr(R"("error":"Not enough in stock")"));
    EXPECT_EQ(value(sold_out, "content-type"), "application/problem+json");
    for (const auto* odd : {R"({"available":"true"})", R"({})", "[true]"}) {
        inventory.body = odd;
        EXPECT_EQ(check_out().status(), 409) << odd;
    }
    inventory.body = R"({ "available" : true })";
    users.status = 404;
    EXPECT_EQ(check_out().status(), 404);
    users.status = 500;
    EXPECT_EQ(check_out().status(), 502);
    EXPECT_TRUE(orders.arrived.empty());

    users.status = 200;
    orders = {.status = 400, .body = R"({"error":"Product p-1 not found"})"};
    const auto refused = check_out();
    EXPECT_EQ(refused.status(), 400);
    EXPECT_EQ(refused.body, orders.body);
    EXPECT_TRUE(notifications.arrived.empty());
}

// Goal: a step that may fail does not take away what was done.
TEST_F(CompositionSteps, OptionalStepMayFail) {
    notifications.status = 503;
    start_checkout();
    EXPECT_EQ(check_out().status(), 201);
    EXPECT_EQ(orders.arrived.size(), 1u);
}

// Goal: what the client sends must be JSON with what the steps need; the problem names the field, and nobody is asked.
TEST_F(CompositionSteps, BadBodyIsTheClientsMistake) {
    start_checkout();
    const auto refused = check_out(R"({"items":[]})");
    EXPECT_EQ(refused.status(), 400);
    EXPECT_THAT(refused.body, HasSubstr(R"("path":"userId")"));
    EXPECT_THAT(check_out(R"({"userId":{"a":1},"items":[]})").body, HasSubstr("must be a text"));
    EXPECT_THAT(check_out(R"({"userId":"","items":[]})").body, HasSubstr("must not be empty"));
    for (const auto* body : {R"({"userId":"..","items":[]})", R"({"userId":".","items":[]})"})
        EXPECT_THAT(check_out(body).body, HasSubstr("cannot be a part of a path")) << body;
    EXPECT_EQ(users.arrived.size(), 0u);
    EXPECT_THAT(check_out("{").body, HasSubstr("invalid_json"));
    EXPECT_THAT(check_out(R"({"userId":"u-1","userId":"u-2"})").body, HasSubstr("userId: is given twice"));
    EXPECT_EQ(check_out("").status(), 400);
    const std::string fine = R"({"userId":"u-1","items":[]})";
    EXPECT_EQ(fleet.send(Method::post, "/api/checkout", fine, {{"content-type", "text/plain"}}).status(), 415);
    EXPECT_EQ(fleet.send(Method::post, "/api/checkout", fine, {{"origin", "https://evil.example"}}).status(), 415);
    EXPECT_EQ(fleet.get("/api/checkout").status(), 405);
    EXPECT_TRUE(orders.arrived.empty());
}

// Goal: the client's key goes on to the steps that write, a key of its own to each, and to no other; what fails on the
// way is tried again only with one.
TEST_F(CompositionSteps, KeyGoesOnToTheStepsThatWrite) {
    start_checkout();
    const auto body = R"({"userId":"u-1","items":[]})";
    ASSERT_EQ(check_out(body, {{"Idempotency-Key", "k-1"}}).status(), 201);
    const auto key_of = [](const Backend& backend) {
        return std::string(backend.arrived.back().head.headers.get("idempotency-key").value_or("(none)"));
    };
    EXPECT_EQ(key_of(users), "(none)");
    EXPECT_EQ(key_of(inventory), "(none)");
    EXPECT_EQ(key_of(orders), "k-1:order");
    EXPECT_EQ(key_of(notifications), "k-1:confirmation");
    ASSERT_EQ(check_out(body).status(), 201);
    EXPECT_EQ(key_of(orders), "(none)");
    EXPECT_EQ(check_out(body, {{"Idempotency-Key", ""}}).status(), 400);
    EXPECT_EQ(check_out(body, {{"Idempotency-Key", std::string(201, 'k')}}).status(), 400);
    EXPECT_EQ(check_out(body, {{"Idempotency-Key", std::string(200, 'k')}}).status(), 201);
}

/// Hangs up on its first caller when it has the request, and answers the others.
class LosesTheFirst {
public:
    http::Handler handler(int status, std::string body) {
        return [this, status, body](Context& context, http::Exchange& exchange) -> task<void> {
            std::ignore = co_await exchange.read_all(context);
            if (++asked == 1) co_return exchange.reset();
            http::ResponseHead head{.status = status};
            head.headers.add("content-type", "application/json");
            std::ignore = co_await exchange.respond(context, head, body);
        };
    }
    int asked = 0;
};

// Goal: a step that writes is not sent twice unless its key makes that safe; one that only reads is.
TEST_F(CompositionSteps, WriteIsRepeatedOnlyWithAKey) {
    LosesTheFirst order, second_order, check;
    for (const bool keyed : {false, true}) {
        TestFleet shop;
        auto& lost = keyed ? second_order : order;
        shop.serve_noting("user-service", users.body);
        shop.serve("inventory-service", check.handler(200, inventory.body));
        shop.serve("order-service", lost.handler(201, orders.body));
        shop.serve_noting("notification-service", "");
        shop.start(kCheckout);
        const auto response =
            shop.send(Method::post, "/api/checkout", R"({"userId":"u-1","items":[]})",
                      keyed ? std::vector<std::pair<std::string, std::string>>{{"idempotency-key", "k"}}
                            : std::vector<std::pair<std::string, std::string>>{});
        EXPECT_EQ(response.status(), keyed ? 201 : 502) << response.body;
        EXPECT_EQ(lost.asked, keyed ? 2 : 1);
    }
    EXPECT_EQ(check.asked, 3) << "it only reads: asked again at once, and then by the second order";
}

// Goal: what was written stays when a later step fails, and the log says what that is.
TEST_F(CompositionSteps, WhatWasWrittenIsTold) {
    serve("order-service", orders);
    serve("notification-service", notifications);
    notifications = {.status = 409, .body = R"({"error":"no"})"};
    fleet.start(R"(
compositions:
  - match: {path: "/orders/{id}", method: [POST, PUT]}
    answer:
      order: {put: "order-service/orders/{id}", body: "{body}"}
      shown: {get: "order-service/orders/{id}"}
      mail: {post: "notification-service/mails", body: ["{id}", 1, true, null, "2", {of: "{order.id}"}]}
)");
    const auto response = fleet.send(Method::put, "/orders/a%20b", R"({ "x":1.50 })");
    EXPECT_EQ(response.status(), 409);
    ASSERT_EQ(orders.arrived.size(), 2u);
    EXPECT_EQ(orders.arrived[0].head.method, Method::put);
    EXPECT_EQ(orders.arrived[0].body, R"({ "x":1.50 })");
    EXPECT_EQ(orders.arrived[1].head.method, Method::get) << "it sees what was written";
    EXPECT_EQ(notifications.arrived.at(0).body, R"(["a b",1,true,null,"2",{"of":"o/1"}])");
    EXPECT_THAT(fleet.log_lines(),
                testing::Contains(testing::AllOf(HasSubstr("ended after branches that wrote"),
                                                 HasSubstr(R"("written":"order")"), HasSubstr(R"("failed":"mail")"))));
}

// Goal: members of JSON are found where they are, whatever stands around them.
TEST(JsonReference, MembersAreFoundAsTheyStand) {
    const auto member = [](std::string_view json, std::string_view name) {
        return std::string(member_of(json, name).value_or("(absent)"));
    };
    const auto* json = R"( { "a" : 1 , "b":"x,}\"y", "c":{"a":[1,{"b":2}] , "d": null },"e\u0066":[ ] ,"a":2} )";
    EXPECT_EQ(member(json, "a"), "1") << "the first of them";
    EXPECT_EQ(member(json, "b"), R"("x,}\"y")");
    EXPECT_EQ(member(json, "c"), R"({"a":[1,{"b":2}] , "d": null })");
    EXPECT_EQ(member(json, "ef"), "[ ]");
    EXPECT_EQ(member(json, "d"), "(absent)");
    EXPECT_EQ(member("{}", "a"), "(absent)");
    EXPECT_EQ(member(R"(["a"])", "a"), "(absent)");
    EXPECT_EQ(member("7", "a"), "(absent)");
    const std::vector<std::string> sources{"body", "user"};
    const std::vector<std::string_view> documents{R"({"a":{"b":"x"}})", ""};
    EXPECT_EQ(JsonReference::parse("body.a.b", sources).value().text(documents).value(), "x");
    EXPECT_EQ(JsonReference::parse("user.id", sources).value().text(documents).error().kind(), Kind::bad_gateway);
    EXPECT_EQ(JsonReference::parse("usr.id", sources).error().message(),
              "there is nothing before it for '{usr.id}'; did you mean 'user'?");
    EXPECT_FALSE(JsonReference::parse("body..b", sources));
}

} // namespace
} // namespace flotilla::gateway::composition_steps_test
