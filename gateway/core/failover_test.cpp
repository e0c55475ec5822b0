// What happens when upstreams are dead, die, or take too long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::failover_test {
namespace {

using testing::HasSubstr;

constexpr const char* kRoutes = R"(
routes:
  - match: {path: "/{rest...}"}
    to: user-service
)";

std::string value(const http::Response& response, std::string_view name) {
    return std::string(response.head.headers.get(name).value_or("(absent)"));
}

/// Reads a request head, then says `answer` and closes.
TestFleet::Script answering(std::string answer, int& requests) {
    return [answer, &requests](Context& context, Stream& stream) -> task<void> {
        std::string received;
        std::array<char, 4096> buffer;
        while (received.find("\r\n\r\n") == std::string::npos) {
            auto count = co_await stream.read(context, buffer);
            if (!count || *count == 0) co_return;
            received.append(buffer.data(), *count);
        }
        ++requests;
        if (!answer.empty()) std::ignore = co_await stream.write(context, std::string_view(answer));
    };
}

// Goal: a dead instance is not noticed by clients, whatever the method: nothing was sent to it.
TEST(GatewayFailover, RefusedConnectionGoesToTheNextInstance) {
    TestFleet fleet;
    fleet.serve_dead("user-service");
    auto& arrived = fleet.serve_noting("user-service");
    fleet.serve_dead("user-service");
    fleet.start(kRoutes);
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(fleet.get("/a").status(), 200);
        EXPECT_EQ(fleet.send(Method::post, "/a", "{}").status(), 200);
    }
    EXPECT_EQ(arrived.size(), 12u);
    // One of the two is out. The other would be, but then more than half of them were.
    const auto metrics = fleet.get("/metrics").body;
    EXPECT_THAT(metrics,
                HasSubstr("http_client_failed_requests_total{upstream=\"user-service\",reason=\"connect_failed\""));
    EXPECT_THAT(metrics, HasSubstr("circuit_breaker_transitions_total{upstream=\"user-service\",state=\"OPEN\"}"));
    EXPECT_THAT(metrics, HasSubstr("http_client_retries_total{upstream=\"user-service\"} 0"));
}

// Goal: requests take turns between the instances.
TEST(GatewayFailover, InstancesTakeTurns) {
    TestFleet fleet;
    auto& first = fleet.serve_noting("user-service");
    auto& second = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(fleet.get("/a").status(), 200);
    EXPECT_EQ(first.size(), 5u);
    EXPECT_EQ(second.size(), 5u);
}

// Goal: when an instance dies before it answers, an idempotent request goes to the next; any other is not repeated.
TEST(GatewayFailover, CutBeforeTheHeadIsRepeatedOnlyWhenThatIsSafe) {
    TestFleet fleet;
    int broken_requests = 0;
    fleet.serve_script("user-service", answering("", broken_requests));
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(fleet.send(Method::put, "/a", R"({"n":1})").status(), 200);
    EXPECT_EQ(arrived.size(), 2u);
    EXPECT_EQ(arrived.back().body, R"({"n":1})");

    int refused = 0;
    for (int i = 0; i < 4; ++i) {
        const auto response = fleet.send(Method::post, "/a", "{}");
        if (response.status() != 502) continue;
        ++refused;
        EXPECT_EQ(value(response, "content-type"), "application/problem+json");
        EXPECT_THAT(response.body, HasSubstr("\"code\":\"upstream_failed\""));
    }
    EXPECT_EQ(refused, 2);
    EXPECT_EQ(arrived.size(), 4u);
    EXPECT_EQ(broken_requests, 4);
}

// Goal: a request with a key is repeated whatever its method, under the same key: its service does it once.
TEST(GatewayFailover, RequestWithAKeyIsRepeated) {
    TestFleet fleet;
    int broken_requests = 0;
    fleet.serve_script("user-service", answering("", broken_requests));
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(fleet.send(Method::post, "/a", "{}", {{"Idempotency-Key", "k1"}}).status(), 200);
    EXPECT_EQ(arrived.size(), 2u);
    EXPECT_EQ(broken_requests, 2);
    EXPECT_EQ(arrived.back().head.headers.get("idempotency-key"), "k1");
}

// Goal: a route can have retries of its own.
TEST(GatewayFailover, RouteHasRetriesOfItsOwn) {
    TestFleet fleet;
    int requests = 0;
    for (int i = 0; i < 2; ++i)
        fleet.serve_script("user-service", answering("", requests));
    fleet.start("routes:\n"
                "  - {match: {path: '/once/{id}'}, to: user-service}\n"
                "  - {match: {path: '/{rest...}'}, to: user-service}\n"
                "targets:\n"
                "  user-service:\n"
                "    endpoints: {'GET /once/{id}': {retry.retries: 0}}\n");
    EXPECT_EQ(fleet.get("/once/1").status(), 502);
    EXPECT_EQ(requests, 1);
    EXPECT_EQ(fleet.get("/a").status(), 502);
    EXPECT_EQ(requests, 5);
}

// Goal: a second try says to the service that it is one; what a client says of tries before does not count.
TEST(GatewayFailover, SecondTryTellsTheService) {
    TestFleet fleet;
    int requests = 0;
    fleet.serve_script("user-service", answering("", requests));
    auto& arrived = fleet.serve_noting("user-service");
    auto& first = fleet.serve_noting("order-service");
    fleet.start("routes:\n"
                "  - {match: {path: /a}, to: user-service}\n"
                "  - {match: {path: /b}, to: order-service}\n");
    for (const auto* path : {"/a", "/b"})
        EXPECT_EQ(fleet.send(Method::get, path, "", {{"flotilla-attempts", "3"}}).status(), 200);
    EXPECT_EQ(requests, 1);
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(arrived[0].head.headers.get("flotilla-attempts"), "1");
    EXPECT_FALSE(first.at(0).head.headers.has("flotilla-attempts"));
}

// Goal: each try is a span of its own in the client's trace, for bodies that are sent whole and such that stream.
TEST(GatewayFailover, EachTryIsASpanOfItsOwn) {
    TestFleet fleet;
    std::vector<TraceContext> traces;
    for (int i = 0; i < 2; ++i) {
        fleet.serve("user-service", [&traces](Context& context, http::Exchange& exchange) -> task<void> {
            traces.push_back(TraceContext::parse(exchange.request().headers.get("traceparent").value_or("")));
            if (traces.size() % 2 == 1) {
                exchange.reset();
            } else {
                std::ignore = co_await exchange.respond(context, {}, "ok");
            }
        });
    }
    fleet.start(kRoutes);
    const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    fleet.send_raw("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\ntraceparent: " + parent + "\r\n\r\n");
    fleet.send_raw("PUT /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\ntraceparent: " + parent +
                   "\r\n\r\n{}");
    ASSERT_EQ(traces.size(), 4u);
    std::set<SpanId> spans{TraceContext::parse(parent).span_id};
    for (const auto& trace : traces) {
        EXPECT_EQ(trace.trace_id, TraceContext::parse(parent).trace_id);
        spans.insert(trace.span_id);
    }
    EXPECT_EQ(spans.size(), 5u);
    // What the gateway logs is its own span, a child of the client's and the parent of the tries'.
    for (const auto& trace : traces) {
        for (const auto& line : fleet.log_lines())
            EXPECT_THAT(line, testing::Not(HasSubstr(trace.span_id_hex().view())));
    }
    EXPECT_THAT(fleet.log_lines(), testing::Contains(HasSubstr("\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"")));
}

// Goal: half an answer never looks whole: the client's connection breaks.
TEST(GatewayFailover, AnswerCutInTheMiddleBreaksTheClientsToo) {
    for (const auto& answer :
         {std::string("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n") + std::string(1000, 'x'),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")}) {
        TestFleet fleet;
        int requests = 0;
        fleet.serve_script("user-service", answering(answer, requests));
        fleet.start(kRoutes);
        Context context(fleet.root(), TestFleet::kPatience);
        http::Request request;
        request.head.target = "/a";
        const auto response = fleet.run(fleet.client().fetch(context, fleet.address(), request));
        ASSERT_FALSE(response.has_value());
        EXPECT_EQ(response.error().code(), "response_cut") << response.error().message();
        EXPECT_EQ(requests, 1);
    }
}

// Goal: a short answer that was cut before any of it went out is asked for again.
TEST(GatewayFailover, ShortAnswerCutInTheMiddleIsAskedForAgain) {
    TestFleet fleet;
    int requests = 0;
    fleet.serve_script("user-service", answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", requests));
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(fleet.get("/a").status(), 200);
    EXPECT_EQ(arrived.size(), 2u);
    EXPECT_GE(requests, 1);
}

// Goal: a service without instances is 503 and says when to come back; with only dead ones it is 502.
TEST(GatewayFailover, NoInstanceIsUnavailable) {
    TestFleet fleet;
    fleet.serve_dead("dead-service");
    fleet.start(R"(
routes:
  - match: {path: /none}
    to: none-service
  - match: {path: /dead}
    to: dead-service
)");
    const auto none = fleet.get("/none");
    EXPECT_EQ(none.status(), 503);
    EXPECT_EQ(value(none, "retry-after"), "1");
    EXPECT_THAT(none.body, HasSubstr("\"code\":\"no_instance\""));
    const auto dead = fleet.send(Method::post, "/dead", "{}");
    EXPECT_EQ(dead.status(), 502);
    EXPECT_THAT(dead.body, HasSubstr("\"code\":\"upstream_unreachable\""));
    EXPECT_THAT(fleet.log_lines(), testing::Contains(HasSubstr("\"status\":503")));
}

// Goal: an answer that is no HTTP is 502 and does not reach the client.
TEST(GatewayFailover, NonsenseIsBadGateway) {
    TestFleet fleet;
    int requests = 0;
    fleet.serve_script("user-service", answering("SSH-2.0-OpenSSH_9.2\r\n\r\n", requests));
    fleet.start(kRoutes);
    EXPECT_EQ(fleet.send(Method::post, "/a", "{}").status(), 502);
    EXPECT_EQ(fleet.get("/a").status(), 502);
}

// Goal: whoever operates the fleet learns which instance did what wrong, though the client only learns that it was so.
TEST(GatewayFailover, FaultyAnswerIsNamedInLogAndMetric) {
    struct Fault {
        std::string answer, reason, words, told;
    };
    std::string many;
    for (int i = 0; i < 1001; ++i)
        many += "X-" + std::to_string(i) + ": 1\r\n";
    const std::vector<Fault> faults{
        {"HTTP/1.1 200 OK\nA: b\n\n", "bad_response", "a line ends with LF alone", "is not valid HTTP/1.1"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "bad_response", "at 'SSH-2.0-OpenSSH_9.2'", "is not valid HTTP/1.1"},
        {"HTTP/1.1 200 OK\r\n" + many + "\r\n", "response_head_too_large", "too many header fields (more than 1000)",
         "is not valid HTTP/1.1"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "response_cut", "in the middle of the response", "broke off"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", "bad_response", "a chunk is malformed", ""},
        {"", "no_response", "before a response began", "ended before it answered"},
    };
    for (const auto& fault : faults) {
        TestFleet fleet;
        int requests = 0;
        fleet.serve_script("user-service", answering(fault.answer, requests));
        fleet.start(kRoutes);
        const auto answer = fleet.send_raw("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        if (!fault.told.empty()) {
            EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 502 "));
            EXPECT_THAT(answer, HasSubstr(fault.told));
        }
        EXPECT_THAT(fleet.log_lines(),
                    testing::Contains(
                        testing::AllOf(HasSubstr("\"level\":\"warning\""), HasSubstr("\"instance\":\"user-service-0\""),
                                       HasSubstr("\"reason\":\"" + fault.reason + "\""), HasSubstr(fault.words))))
            << fault.answer;
        EXPECT_THAT(
            fleet.get("/metrics").body,
            HasSubstr("http_client_failed_requests_total{upstream=\"user-service\",reason=\"" + fault.reason + "\"} 1"))
            << fault.answer;
    }
}

// Goal: what RFC 9112 has a proxy put right is put right before it is sent on; many fields are no fault; and of
// trailers those are left out that may be none (RFC 9110 §6.5.1).
TEST(GatewayFailover, AnswerIsPutRightWhereAProxyMust) {
    std::string many;
    for (int i = 0; i < 120; ++i)
        many += "X-" + std::to_string(i) + ": 1\r\n";
    const std::vector<std::pair<std::string, std::string>> answers{
        {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n"},
        {"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length : 2\r\n\r\nok", "\r\nX-A: 1\r\n"},
        {"HTTP/1.1 200 OK\r\nX-A: 1\r\n\t2\r\nContent-Length: 2\r\n\r\nok", "\r\nX-A: 1 2\r\n"},
        {"HTTP/1.1 200 OK\r\n" + many + "Content-Length: 2\r\n\r\nok", "\r\nX-119: 1\r\n"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nExpires: 0\r\nX-Sum: 1\r\n\r\n",
         "\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"},
    };
    for (const auto& [answer, expected] : answers) {
        TestFleet fleet;
        int requests = 0;
        fleet.serve_script("user-service", answering(answer, requests));
        fleet.start(kRoutes);
        const auto got = fleet.send_raw("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        EXPECT_THAT(got, testing::StartsWith("HTTP/1.1 200 OK\r\n"));
        EXPECT_THAT(got, HasSubstr(expected));
        EXPECT_EQ(requests, 1);
    }
}

task<void> ask_and_leave(TestFleet& fleet, int clients) {
    Context context(fleet.root(), TestFleet::kPatience);
    std::vector<std::unique_ptr<Stream>> streams;
    for (int i = 0; i < clients; ++i) {
        streams.push_back((co_await fleet.world().connect(context, fleet.address())).value());
        EXPECT_TRUE(co_await streams.back()->write(context, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    while (fleet.upstream_load("user-service").active < static_cast<std::size_t>(clients) && !context.cancelled())
        co_await fleet.settle(1);
    streams.clear(); // everything was read, so this is FIN and no more
    while (fleet.upstream_load("user-service").active > 0 && !context.cancelled())
        co_await fleet.settle(1);
}

// Goal: what clients that have left were waiting for holds no connections.
TEST(GatewayFailover, ClientsThatLeaveGiveTheirUpstreamConnectionsBack) {
    TestFleet fleet;
    fleet.serve("user-service", [](Context& context, http::Exchange& exchange) -> task<void> {
        Event never;
        std::ignore = co_await never.wait(context);
        exchange.reset();
    });
    GatewayOptions options;
    options.server.client_check_interval = std::chrono::milliseconds(2);
    fleet.start(kRoutes, options);
    fleet.run(ask_and_leave(fleet, 20));
    EXPECT_EQ(fleet.upstream_load("user-service").active, 0u);
    EXPECT_THAT(fleet.log_lines(), testing::Contains(HasSubstr("\"status\":499")));
}

// Goal: nobody waits longer than the route's timeout, or than the client said it would.
TEST(GatewayFailover, DeadlineEndsTheWaiting) {
    int cancelled = 0; // outlives the fleet, whose shutdown may still run the handler
    TestFleet fleet;
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        Event never;
        auto waited = co_await never.wait(context);
        cancelled += waited ? 0 : 1;
        exchange.reset();
    });
    fleet.start(R"(
routes:
  - match: {path: /short}
    to: user-service
    timeout: 20ms
  - match: {path: /long}
    to: user-service
)");
    const auto late = fleet.get("/short");
    EXPECT_EQ(late.status(), 504);
    EXPECT_EQ(value(late, "content-type"), "application/problem+json");
    EXPECT_THAT(late.body, HasSubstr("user-service did not answer in the time this request has"));
    EXPECT_THAT(fleet.log_lines(), testing::Contains(testing::AllOf(HasSubstr("\"instance\":\"user-service-0\""),
                                                                    HasSubstr("\"reason\":\"deadline_exceeded\""))));
    EXPECT_EQ(fleet.send(Method::post, "/short", std::string(200'000, 'x')).status(), 504);
    const auto impatient =
        fleet.send_raw("GET /long HTTP/1.1\r\nHost: x\r\nflotilla-timeout-ms: 20\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(impatient, testing::StartsWith("HTTP/1.1 504"));
    EXPECT_GE(cancelled, 1); // the deadline went along
}

// Goal: a connection that the service closed while it was idle costs nobody an error.
TEST(GatewayFailover, IdleConnectionClosedByTheServiceIsReplaced) {
    TestFleet fleet;
    int connections = 0;
    fleet.serve_script("user-service", [&](Context& context, Stream& stream) -> task<void> {
        ++connections;
        std::array<char, 4096> buffer;
        std::ignore = co_await stream.read(context, buffer);
        // Keep-alive is promised and then not kept.
        std::ignore =
            co_await stream.write(context, std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    });
    fleet.start(kRoutes);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(fleet.send(i == 1 ? Method::post : Method::get, "/a", i == 1 ? "{}" : "").status(), 200);
    EXPECT_EQ(connections, 3);
}

// Goal: a request in the moment the service closes its idle connection is repeated on a new one when that is safe.
TEST(GatewayFailover, StaleConnectionIsRepeatedOnANewOne) {
    TestFleet fleet;
    int connections = 0;
    fleet.serve_script("user-service", [&](Context& context, Stream& stream) -> task<void> {
        ++connections;
        std::array<char, 4096> buffer;
        std::ignore = co_await stream.read(context, buffer);
        std::ignore =
            co_await stream.write(context, std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        std::ignore = co_await stream.read(context, buffer); // the next request arrives and is not answered
    });
    fleet.start(kRoutes);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(fleet.get("/a").status(), 200);
    EXPECT_EQ(connections, 3);
}

// Goal: local instances are reached over their Unix socket.
TEST(GatewayFailover, UnixSocketIsPreferredOnTheSameHost) {
    const Instance instance{
        .id = "a", .address = Address::tcp("10.0.0.1", 1), .unix_socket = "/run/a.sock", .host = "here"};
    EXPECT_EQ(instance.best_address("here").to_string(), "unix:/run/a.sock");
    EXPECT_EQ(instance.best_address("there").to_string(), "10.0.0.1:1");
}

} // namespace
} // namespace flotilla::gateway::failover_test
