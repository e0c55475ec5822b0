// How large and how long a request may be, for the gateway and for one route of it.
#include <gtest/gtest.h>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway {
namespace {

// Goal: a body over the limit is refused, and no upstream sees it as complete.
TEST(GatewayLimits, BodyOverTheLimitIsRefused) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(R"(
routes:
  - match: {path: "/{rest...}"}
    to: user-service
limits: {body_bytes_max: 100000}
)");
    EXPECT_EQ(fleet.send(Method::post, "/a", std::string(100'001, 'x')).status(), 413);
    EXPECT_TRUE(arrived.empty());
    EXPECT_EQ(fleet.send(Method::post, "/a", std::string(100'000, 'x')).status(), 200);
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(arrived[0].body.size(), 100'000u);
}

constexpr const char* kOneLargeRoute = R"(
routes:
  - match: {path: "/large"}
    to: user-service
    body_bytes_max: 67108864
    timeout: 10m
  - match: {path: "/{rest...}"}
    to: user-service
limits: {body_bytes_max: 100000}
)";

// Goal: a route's own limit and time replace the gateway's, for that route only: 40 MiB pass there.
TEST(GatewayLimits, RouteMayTakeMoreThanTheRest) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kOneLargeRoute);
    const std::string large(40 << 20, 'x');
    EXPECT_EQ(fleet.send(Method::put, "/large", large).status(), 200);
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(arrived[0].body.size(), large.size());
    const auto time_left = arrived[0].head.headers.get("flotilla-timeout-ms").value_or("");
    EXPECT_GT(std::atoi(std::string(time_left).c_str()), 15'000) << "the client's own deadline";
    EXPECT_EQ(fleet.send(Method::put, "/small", std::string(100'001, 'x')).status(), 413);
    EXPECT_EQ(fleet.send(Method::put, "/large", std::string((64 << 20) + 1, 'x')).status(), 413);
    EXPECT_EQ(arrived.size(), 1u);
}

// Goal: who asks before sending is refused without 100 (Continue), and no upstream hears of it.
TEST(GatewayLimits, ExpectedBodyOverTheLimitIsRefusedAtOnce) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kOneLargeRoute);
    const auto answer = fleet.send_raw("PUT /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                                       "Content-Length: 100001\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
    EXPECT_TRUE(arrived.empty());
}

// Goal: a route's time counts where the client brings no deadline, and reaches the service.
TEST(GatewayLimits, RoutesTimeReachesTheService) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kOneLargeRoute);
    fleet.send_raw("PUT /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    fleet.send_raw("PUT /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    ASSERT_EQ(arrived.size(), 2u);
    const auto left = [&](std::size_t i) {
        return std::atoi(std::string(arrived[i].head.headers.get("flotilla-timeout-ms").value_or("")).c_str());
    };
    EXPECT_GT(left(0), 590'000);
    EXPECT_LE(left(0), 600'000);
    EXPECT_GT(left(1), 20'000);
    EXPECT_LE(left(1), 30'000);
}

} // namespace
} // namespace flotilla::gateway
