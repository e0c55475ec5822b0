// How large and how long a request may be, for the gateway and for one route of it, and how many may upload at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::limits_test {
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

// Goal: how critical a request is its route says; a client may lower it, not raise it, and it reaches the service.
TEST(GatewayLimits, RoutesCriticalityReachesTheService) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(R"(
routes:
  - match: {path: /pay}
    to: user-service
    criticality: critical
  - match: {path: "/{rest...}"}
    to: user-service
)");
    const auto sent_on = [&](std::string target, std::string said) {
        std::vector<std::pair<std::string, std::string>> fields;
        if (!said.empty()) fields.emplace_back("flotilla-criticality", said);
        EXPECT_EQ(fleet.send(Method::get, std::move(target), "", fields).status(), 200);
        return std::string(arrived.back().head.headers.get("flotilla-criticality").value_or("normal"));
    };
    EXPECT_EQ(sent_on("/pay", ""), "critical");
    EXPECT_EQ(sent_on("/pay", "sheddable"), "sheddable");
    EXPECT_EQ(sent_on("/a", ""), "normal");
    EXPECT_EQ(sent_on("/a", "critical"), "normal");
    EXPECT_EQ(sent_on("/a", "sheddable"), "sheddable");
    EXPECT_EQ(fleet.send(Method::get, "/a", "", {{"flotilla-criticality", "urgent"}}).status(), 400);
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

std::string routes_with_timeout(const std::string& timeout) {
    return "routes:\n  - match: {path: \"/{rest...}\"}\n    to: user-service\n    timeout: " + timeout +
           "\nlimits: {body_bytes_max: 1073741824}\n";
}

/// Reads whatever comes and never answers.
task<void> sink(Context& context, Stream& stream) {
    std::array<char, 16 * 1024> block;
    while (true) {
        const auto count = co_await stream.read(context, block);
        if (!count || *count == 0) co_return;
    }
}

// Goal: a client that stalls its upload is told so, at whatever point it stops and though the request's time is over
// long before that of bodies; the instance it was meant for has no part in it.
TEST(GatewayLimits, StalledUploadIsTheClientsFault) {
    const std::vector<std::pair<std::string, std::string>> uploads{
        {"Content-Length: 5", "hel"},
        {"Content-Length: 70000", "hel"},
        {"Content-Length: 200000", std::string(100'000, 'x')},
        {"Transfer-Encoding: chunked", ""},
        {"Transfer-Encoding: chunked", "3\r\nhel\r\n"},
    };
    for (const auto& [framing, sent] : uploads) {
        TestFleet fleet;
        fleet.serve_script("user-service", sink);
        fleet.start(routes_with_timeout("50ms"));
        const auto answer = fleet.send_raw("PUT /a HTTP/1.1\r\nHost: x\r\n" + framing + "\r\n\r\n" + sent);
        EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 408 ")) << framing << " " << sent.size();
        EXPECT_THAT(answer, testing::HasSubstr("Connection: close\r\n"));
        EXPECT_THAT(answer, testing::HasSubstr("request_timeout"));
        EXPECT_THAT(fleet.log_lines(), testing::Not(testing::Contains(testing::HasSubstr("\"instance\""))));
        const auto metrics = fleet.get("/metrics").body;
        EXPECT_THAT(metrics, testing::Not(testing::HasSubstr("broken_exchanges_total{")));
        EXPECT_THAT(metrics, testing::HasSubstr("http_client_retries_total{upstream=\"user-service\"} 0"));
    }
}

// Goal: a 408 of the service's own says the same to the client: nothing more is taken from that connection.
TEST(GatewayLimits, StalledUploadThatTheServiceRefusesEndsTheConnection) {
    TestFleet fleet;
    fleet.serve("user-service",
                [](Context& context, http::Exchange& exchange) -> task<void> {
                    const auto body = co_await exchange.read_all(context);
                    EXPECT_FALSE(body);
                    http::ResponseHead head{.status = !body && body.error().code() == "request_timeout" ? 408 : 500};
                    std::ignore = co_await exchange.respond(context, head, "late");
                },
                {.body_timeout = std::chrono::milliseconds(30), .body_bytes_per_second_min = 0});
    fleet.start(routes_with_timeout("10s"));
    const auto answer = fleet.send_raw("PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
    EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 408 "));
    EXPECT_THAT(answer, testing::HasSubstr("Connection: close\r\n"));
}

constexpr const char* kUploads = R"(
routes:
  - match: {path: "/{rest...}"}
    to: user-service
limits: {body_bytes_max: 1073741824}
)";

http::RequestHead upload_head() {
    http::RequestHead head;
    head.method = Method::post;
    head.method_name = name(head.method);
    head.target = "/upload";
    head.authority = "shop.example";
    return head;
}

http::Handler whole_reader() {
    return [](Context& context, http::Exchange& exchange) -> task<void> {
        std::ignore = co_await exchange.read_all(context);
        std::ignore = co_await exchange.respond(context, {}, "ok");
    };
}

/// Begins uploads that stall, and asks for something while they do, as often as there are instances.
task<void> stall_uploads(TestFleet& at, std::size_t uploads, std::size_t instances, std::size_t expected) {
    Context context(at.root(), TestFleet::kPatience);
    http::Client client(at.world(), {.connections_per_address_max = uploads + 1});
    std::vector<std::unique_ptr<http::ClientExchange>> stalled;
    for (std::size_t i = 0; i < uploads; ++i) {
        stalled.push_back((co_await client.open(context, at.address())).value());
        EXPECT_TRUE(co_await stalled.back()->send(context, upload_head(), http::BodySize::unknown()));
        EXPECT_TRUE(co_await stalled.back()->write(context, "x"));
    }
    co_await at.settle();
    EXPECT_EQ(at.upstream_load("user-service").active, expected);
    for (std::size_t i = 0; i < instances; ++i) {
        http::Request request;
        request.head.target = "/a";
        Context patience(context, std::chrono::seconds(5));
        auto response = co_await client.fetch(patience, at.address(), std::move(request));
        EXPECT_TRUE(response && response->status() == 200);
    }
}

// Goal: uploads that stall after they have begun leave connections to everybody else.
TEST(GatewayLimits, StalledUploadsLeaveConnectionsToOthers) {
    TestFleet fleet;
    fleet.serve("user-service", whole_reader());
    fleet.start(kUploads);
    fleet.run(stall_uploads(fleet, 2 * kUploadsMax, 1, kUploadsMax));
}

// Goal: that is half of the connections to each instance: two take twice as many uploads, each its half.
TEST(GatewayLimits, EachInstanceTakesItsUploads) {
    TestFleet fleet;
    for (int i = 0; i < 2; ++i)
        fleet.serve("user-service", whole_reader());
    fleet.start(kUploads);
    fleet.run(stall_uploads(fleet, 2 * kUploadsMax + 8, 2, 2 * kUploadsMax));
}

// Goal: an instance that is listed and gone adds nothing: the other keeps the half that is not for uploads.
TEST(GatewayLimits, InstanceThatIsGoneAddsNoUploads) {
    TestFleet fleet;
    fleet.serve("user-service", whole_reader());
    fleet.serve_dead("user-service");
    fleet.start(kUploads);
    fleet.run(stall_uploads(fleet, 2 * kUploadsMax, 1, kUploadsMax));
}

// Goal: an upload that waits begins when another one of its instance has ended.
TEST(GatewayLimits, WaitingUploadTakesItsTurn) {
    TestFleet fleet;
    fleet.serve("user-service", whole_reader());
    fleet.start(kUploads);
    fleet.run([](TestFleet& at) -> task<void> {
        Context context(at.root(), TestFleet::kPatience);
        http::Client client(at.world(), {.connections_per_address_max = kUploadsMax + 1});
        std::vector<std::unique_ptr<http::ClientExchange>> uploads;
        for (std::size_t i = 0; i < kUploadsMax + 1; ++i) {
            uploads.push_back((co_await client.open(context, at.address())).value());
            EXPECT_TRUE(co_await uploads.back()->send(context, upload_head(), http::BodySize::unknown()));
            EXPECT_TRUE(co_await uploads.back()->write(context, "x"));
        }
        co_await at.settle();
        EXPECT_TRUE(co_await uploads.back()->finish(context));
        EXPECT_TRUE(co_await uploads.front()->finish(context));
        for (auto* upload : {uploads.front().get(), uploads.back().get()}) {
            const auto head = co_await upload->receive(context);
            EXPECT_TRUE(head && (*head)->status == 200);
        }
    }(fleet));
}

} // namespace
} // namespace flotilla::gateway::limits_test
