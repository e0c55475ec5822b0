// What the gateway's log says about an exchange that took too long.
#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::slow_request_test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kRoutes = R"(
routes:
  - match: {path: "/{rest...}"}
    to: user-service
access_log: {sample: 1, slow: 20ms}
)";

std::vector<boost::json::value> slow_lines(TestFleet& fleet) {
    std::vector<boost::json::value> found;
    for (const auto& line : fleet.log_lines()) {
        if (line.contains("slow request")) found.push_back(json::parse_value(line).value());
    }
    return found;
}
double number(const boost::json::value& line, std::string_view key) {
    const auto* found = line.as_object().if_contains(key);
    return found ? found->to_number<double>() : 0;
}
/// The times of a line add up to its duration.
void expect_sum(const boost::json::value& line) {
    double sum = -number(line, "overlap_ms");
    for (const auto* key :
         {"own_ms", "request_body_ms", "connection_ms", "upstream_ms", "upstream_body_ms", "answer_ms"})
        sum += number(line, key);
    EXPECT_NEAR(sum, number(line, "duration_ms"), 0.05) << sum;
}

// Goal: the wait for an instance's answer is named, with the instance; the request is logged once.
TEST(GatewaySlowRequest, SlowInstanceIsNamed) {
    TestFleet fleet;
    fleet.serve("user-service", [](Context& context, http::Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await sleep_for(context, 40ms));
        std::ignore = co_await exchange.respond(context, {}, "late");
    });
    fleet.start(kRoutes);
    ASSERT_EQ(fleet.get("/a?secret=1").status(), 200);
    const auto lines = slow_lines(fleet);
    ASSERT_EQ(lines.size(), 1u);
    const auto& line = lines[0];
    EXPECT_EQ(line.at("level").as_string(), "warning");
    EXPECT_EQ(line.at("path").as_string(), "/a");
    EXPECT_EQ(line.at("route").as_string(), "/{rest...}");
    EXPECT_GE(number(line, "upstream_ms"), 40);
    EXPECT_EQ(line.at("slowest_call").as_string(), "user-service-0");
    expect_sum(line);
    int logged = 0;
    for (const auto& each : fleet.log_lines())
        logged += each.contains("\"/a\"") ? 1 : 0;
    EXPECT_EQ(logged, 1);
}

// Goal: an answer whose body comes late is told from one whose head does, and from a client that sends late.
TEST(GatewaySlowRequest, LateBodiesAreToldApart) {
    TestFleet fleet;
    fleet.serve("user-service", [](Context& context, http::Exchange& exchange) -> task<void> {
        std::ignore = co_await exchange.read_all(context);
        std::ignore = co_await exchange.send(context, {}, http::BodySize::unknown());
        EXPECT_TRUE(co_await sleep_for(context, 40ms));
        std::ignore = co_await exchange.write(context, "late");
        std::ignore = co_await exchange.finish(context);
    });
    fleet.start(kRoutes);
    const auto late = [&](Context& context) -> task<void> {
        auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
        http::RequestHead head;
        head.method = Method::put;
        head.method_name = "PUT";
        head.target = "/late";
        head.authority = "shop.example";
        EXPECT_TRUE(co_await exchange->send(context, head, http::BodySize::unknown()));
        EXPECT_TRUE(co_await exchange->write(context, "a"));
        EXPECT_TRUE(co_await sleep_for(context, 60ms));
        EXPECT_TRUE(co_await exchange->finish(context));
        EXPECT_EQ((co_await exchange->receive(context)).value()->status, 200);
        while (!(co_await exchange->read(context)).value().empty()) {
        }
    };
    fleet.run(late(fleet.root()));
    fleet.run(fleet.settle(10)); // the line is written after the last byte
    const auto lines = slow_lines(fleet);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_GE(number(lines[0], "request_body_ms"), 55);
    EXPECT_GE(number(lines[0], "upstream_body_ms"), 40);
    expect_sum(lines[0]);
}

/// Asks for a large answer and reads it late.
task<void> read_late(TestFleet& fleet) {
    auto& context = fleet.root();
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    http::RequestHead head;
    head.target = "/large";
    head.authority = "shop.example";
    EXPECT_TRUE(co_await exchange->send_whole(context, head, {}));
    EXPECT_EQ((co_await exchange->receive(context)).value()->status, 200);
    EXPECT_TRUE(co_await sleep_for(context, 40ms));
    while (!(co_await exchange->read(context)).value().empty()) {
    }
}

// Goal: a client that takes its answer slowly is not blamed on the service.
TEST(GatewaySlowRequest, SlowReaderIsTheClient) {
    TestFleet fleet;
    const std::string large(32 * 1024 * 1024, 'x'); // more than the sockets on the way hold
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        std::ignore = co_await exchange.respond(context, {}, large);
    });
    fleet.start(kRoutes);
    fleet.run(read_late(fleet));
    fleet.run(fleet.settle(10));
    const auto lines = slow_lines(fleet);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_GE(number(lines[0], "answer_ms"), 20);
    expect_sum(lines[0]);
}

// Goal: what this loop's connections do is in the metrics.
TEST(GatewayMetrics, ConnectionsAndLoopShow) {
    TestFleet fleet;
    fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    ASSERT_EQ(fleet.get("/a").status(), 200);
    const auto until_shown = [&](Context& context) -> task<void> {
        while (!fleet.metrics().prometheus_text().contains(
            R"(http_client_open_connections{loop="0",upstream="user-service",http_connection_state="idle"} 1)"))
            EXPECT_TRUE(co_await sleep_for(context, 1ms));
    };
    fleet.run(until_shown(fleet.root()));
    const auto text = fleet.get("/metrics").body;
    EXPECT_TRUE(text.contains(R"(http_client_waiting_requests{loop="0",upstream="user-service"} 0)")) << text;
    EXPECT_TRUE(text.contains(R"(http_server_connections{loop="0"} 1)")) << text;
    EXPECT_TRUE(text.contains(R"(flotilla_loop_lag_seconds_count{loop="0"})")) << text;
}

} // namespace
} // namespace flotilla::gateway::slow_request_test
