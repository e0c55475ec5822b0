#include "gateway/core/gateway.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::gateway_test {
namespace {

using testing::HasSubstr;

constexpr const char* kRoutes = R"(
routes:
  - match: {path: "/{rest...}"}
    to: user-service
)";

// Goal: the gateway tells whether it lives, and which services it can reach.
TEST(GatewayHealth, OwnPathsAnswer) {
    TestFleet fleet;
    fleet.serve_noting("user-service");
    fleet.start(R"(
routes:
  - match: {path: /users}
    to: user-service
  - match: {path: /orders}
    to: order-service
)");
    EXPECT_EQ(fleet.get("/livez").status(), 200);
    const auto ready = fleet.get("/readyz");
    EXPECT_EQ(ready.status(), 200); // it serves what it can
    EXPECT_THAT(ready.body, HasSubstr(R"("status":"degraded")"));
    EXPECT_THAT(ready.body, HasSubstr(R"("user-service":{"status":"ok"})"));
    EXPECT_THAT(ready.body, HasSubstr(R"("order-service":{"status":"failed")"));
    EXPECT_EQ(fleet.get("/healthz").status(), 503);
    EXPECT_EQ(fleet.send(Method::post, "/metrics", "{}").status(), 405);
}

// Goal: no other spelling of the gateway's pages leads past it to an origin's, even where everything is routed there.
TEST(GatewayHealth, OwnPathsAreNotReachedBehind) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service", "the origin's");
    fleet.start(kRoutes);
    for (const auto* page : {"/%6detrics", "//livez", "/x/../metrics", "/./healthz", "/x/%2e%2e/readyz"}) {
        EXPECT_EQ(fleet.get(page).status(), 200) << page;
        EXPECT_EQ(fleet.send(Method::post, page, "{}").status(), 405) << page;
    }
    for (const auto* page : {"/metrics/", "/METRICS", "/livez;a=b", "/readyz%2F"})
        EXPECT_EQ(fleet.get(page).status(), 404) << page;
    EXPECT_TRUE(arrived.empty());
    EXPECT_EQ(fleet.get("/metrics/x").body, "the origin's");
}

struct InFlight {
    Event arrived;
    Event go;
    std::optional<Result<http::Response>> response;
};

task<void> ask(TestFleet& fleet, InFlight& in_flight) {
    http::Request request;
    request.head.target = "/slow";
    Context context(fleet.root(), TestFleet::kPatience);
    in_flight.response.emplace(co_await fleet.client().fetch(context, fleet.address(), std::move(request)));
}

task<void> stop_in_flight(TestFleet& fleet, InFlight& in_flight) {
    Context context(fleet.root(), TestFleet::kPatience);
    Scope scope(context);
    scope.spawn(ask(fleet, in_flight));
    std::ignore = co_await in_flight.arrived.wait(context);
    fleet.stop();
    co_await fleet.settle(100);
    EXPECT_FALSE(fleet.stopped());
    auto late = co_await fleet.world().connect(context, fleet.address());
    EXPECT_FALSE(late.has_value());
    in_flight.go.notify();
    co_await scope.join();
    co_await fleet.settle(100);
    EXPECT_TRUE(fleet.stopped());
}

// Goal: a shutdown takes no new connections and lets the request in flight finish.
TEST(GatewayShutdown, RequestInFlightIsFinished) {
    InFlight in_flight;
    TestFleet fleet;
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        in_flight.arrived.notify();
        std::ignore = co_await in_flight.go.wait(context);
        std::ignore = co_await exchange.respond(context, {}, "done");
    });
    fleet.start(kRoutes);
    fleet.run(stop_in_flight(fleet, in_flight));
    ASSERT_TRUE(in_flight.response && in_flight.response->has_value());
    EXPECT_EQ((*in_flight.response)->status(), 200);
    EXPECT_EQ((*in_flight.response)->body, "done");
}

// Goal: what is in force for each service, with where it was said, and how its instances are.
TEST(GatewayTargets, PageShowsWhatIsInForceAndWhy) {
    TestFleet fleet;
    fleet.serve_noting("user-service");
    fleet.serve_dead("user-service");
    fleet.start(R"(
targets:
  "*": {retry.retries: 2, breaker.failures: 7}
  user-service:
    breaker: {failures: 1}
routes:
  - match: {path: /users}
    to: user-service
)");
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(fleet.get("/users").status(), 200);
    const auto page = fleet.get("/targetz");
    EXPECT_EQ(page.status(), 200);
    EXPECT_EQ(page.head.headers.get("content-type"), "application/json");
    const auto report = json::parse_value(page.body).value();
    EXPECT_EQ(report.at("loop"), "0");
    const auto& target = report.at("targets").at(0);
    EXPECT_EQ(target.at("service"), "user-service");
    const auto& instances = target.at("instances").as_array();
    ASSERT_EQ(instances.size(), 2u) << page.body;
    EXPECT_EQ(instances[0].at("id"), "user-service-0");
    EXPECT_EQ(instances[0].at("state"), "CLOSED");
    EXPECT_EQ(instances[0].at("inFlight"), 0);
    EXPECT_GT(instances[0].at("latencyMs").to_number<double>(), 0);
    EXPECT_EQ(instances[1].at("state"), "OPEN");
    EXPECT_THAT(std::string(instances[1].at("detail").as_string()), HasSubstr("OPEN for another "));
    EXPECT_THAT(page.body, HasSubstr(R"({"key":"breaker.failures","value":"1","from":"test.yaml:5"})"));
    EXPECT_THAT(page.body, HasSubstr(R"({"key":"retry.retries","value":"2","from":"test.yaml:3"})"));
    EXPECT_THAT(page.body, HasSubstr(R"({"key":"breaker.open","value":"1m","from":"default"})"));
}

// Goal: an instance that is out is told by the readiness report, and makes nobody unready.
TEST(GatewayHealth, InstancesThatAreOutAreADetail) {
    TestFleet fleet;
    fleet.serve_noting("user-service");
    fleet.serve_dead("user-service");
    fleet.start(R"(
targets: {user-service: {breaker.failures: 1}}
routes:
  - match: {path: /users}
    to: user-service
)");
    EXPECT_THAT(fleet.get("/readyz").body, HasSubstr(R"("user-service":{"status":"ok"})"));
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(fleet.get("/users").status(), 200);
    const auto ready = fleet.get("/readyz");
    EXPECT_THAT(ready.body, HasSubstr(R"("status":"ok","service")"));
    EXPECT_THAT(ready.body,
                HasSubstr(R"("user-service":{"status":"ok","detail":"1 of 2 instances are out: user-service-1 OPEN)"));
}

} // namespace
} // namespace flotilla::gateway::gateway_test
