#include "gateway/core/gateway.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

} // namespace
} // namespace flotilla::gateway::gateway_test
