#include "gateway/core/proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/base/uuid.hpp>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::proxy_test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kRoutes = R"(
routes:
  - match: {path: ["/api/users", "/api/users/{rest...}"]}
    to: user-service
  - match: {path: "/people/{id}"}
    to: user-service
    rewrite: /users/{id}
  - match: {path: "/read", method: GET}
    to: user-service
)";

std::string value(const http::Headers& headers, std::string_view name) {
    return std::string(headers.get(name).value_or("(absent)"));
}

// Goal: path and query go on as they came, or as the route rewrites them.
TEST(GatewayProxy, PathIsForwardedOrRewritten) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    EXPECT_EQ(fleet.get("/api/users/42?a=1&b=%20").status(), 200);
    EXPECT_EQ(fleet.get("/people/a%2Fb?x=y").status(), 200);
    EXPECT_EQ(fleet.get("//api/./users/x/../42%41").status(), 200);
    ASSERT_EQ(arrived.size(), 3u);
    EXPECT_EQ(arrived[0].head.target, "/api/users/42?a=1&b=%20");
    EXPECT_EQ(arrived[0].head.authority, "user-service");
    EXPECT_EQ(arrived[1].head.target, "/users/a%2Fb?x=y");
    EXPECT_EQ(arrived[2].head.target, "/api/users/42A");
}

// Goal: unknown paths, methods and malformed paths are answered by the gateway as problem documents.
TEST(GatewayProxy, UnroutableRequestIsAProblem) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const auto unknown = fleet.get("/nothing");
    EXPECT_EQ(unknown.status(), 404);
    EXPECT_EQ(value(unknown.head.headers, "content-type"), "application/problem+json");
    EXPECT_TRUE(is_uuid(value(unknown.head.headers, "x-request-id")));
    const auto method = fleet.send(Method::post, "/read", "{}");
    EXPECT_EQ(method.status(), 405);
    EXPECT_EQ(value(method.head.headers, "allow"), "GET, HEAD");
    EXPECT_EQ(fleet.get("/api/users/%zz").status(), 400);
    EXPECT_EQ(fleet.get("/api/users/%2e%2e/x").status(), 404);
    EXPECT_EQ(fleet.get("/api/users/..%2f..%2fadmin").status(), 400);
    EXPECT_THAT(fleet.send_raw("TRACE /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 405"));
    EXPECT_TRUE(arrived.empty());
}

// Goal: end-to-end fields pass both ways; what the gateway says about the request cannot be said by the client.
TEST(GatewayProxy, FieldsArriveAsTheyShould) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const auto response = fleet.send(Method::post, "/api/users", R"({"name":"Ann"})",
                                     {{"Content-Type", "application/json"},
                                      {"Authorization", "Bearer t"},
                                      {"X-Forwarded-For", "6.6.6.6"},
                                      {"X-Forwarded-Port", "1"},
                                      {"X-Real-IP", "6.6.6.6"},
                                      {"Forwarded", "for=6.6.6.6"},
                                      {"X-Request-Id", "order-4711"},
                                      {"Cookie", "a=1"},
                                      {"Cookie", "b=2"}});
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(value(response.head.headers, "x-request-id"), "order-4711");
    ASSERT_EQ(arrived.size(), 1u);
    const auto& headers = arrived[0].head.headers;
    EXPECT_EQ(arrived[0].body, R"({"name":"Ann"})");
    EXPECT_EQ(value(headers, "content-type"), "application/json");
    EXPECT_EQ(value(headers, "authorization"), "Bearer t");
    EXPECT_EQ(value(headers, "x-forwarded-for"), "127.0.0.1");
    EXPECT_EQ(value(headers, "x-forwarded-proto"), "http");
    EXPECT_EQ(value(headers, "x-forwarded-host"), "shop.example");
    EXPECT_EQ(value(headers, "x-forwarded-port"), "(absent)");
    EXPECT_EQ(value(headers, "x-real-ip"), "(absent)");
    EXPECT_EQ(value(headers, "forwarded"), "(absent)");
    EXPECT_EQ(value(headers, "x-request-id"), "order-4711");
    EXPECT_EQ(value(headers, "cookie"), "a=1");
    EXPECT_GT(std::stoi(value(headers, "flotilla-timeout-ms")), 1000);
    EXPECT_LE(std::stoi(value(headers, "flotilla-timeout-ms")), 20'000); // the test client's own deadline
}

// Goal: a field that upstreams cannot tell from the gateway's own, as they read all but letters and digits as one, or
// that they take for a setting or a path of their own, does not reach them.
TEST(GatewayProxy, AliasesCannotPassForTheGateways) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const std::vector<std::string> imitations{
        "X_Forwarded_For",     "x-forwarded_host", "X_Real_IP",         "X_Request-Id",
        "flotilla_timeout_ms", "Content_Length",   "Transfer_Encoding", "x_forwarded_" + std::string(100, 'a'),
        "X.Forwarded.For",     "X+Forwarded+For",  "X.Request.Id",      "Flotilla.Timeout.Ms",
        "Content.Length",      "x~request|id",     "traceparent",       "Keep.Alive",
        "max.forwards",        "X!Real#IP",        "Proxy.Connection",  "Proxy",
        "X-Original-URL",      "X.Rewrite.Url",    "X-Forwarded.Path",  "X`Forwarded'Host"};
    std::string fields;
    for (const auto& name : imitations)
        fields += name + ": 6\r\n";
    const auto answer =
        fleet.send_raw("POST /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
                       "X_Own: 1\r\nmy_x_forwarded_for: 2\r\nContent.Type.Of: 4\r\nX.Forwarded: 5\r\n" +
                       fields + "\r\n1\r\nx\r\n0\r\nX_Real_IP: 6\r\nX.Request.Id: 6\r\nX_Sum: 3\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
    ASSERT_EQ(arrived.size(), 1u);
    for (const auto& name : imitations) {
        EXPECT_FALSE(arrived[0].head.headers.has(name) && value(arrived[0].head.headers, name) == "6") << name;
    }
    EXPECT_EQ(value(arrived[0].head.headers, "content.type.of"), "4");
    EXPECT_EQ(value(arrived[0].head.headers, "x.forwarded"), "5");
    EXPECT_FALSE(arrived[0].trailers.has("x.request.id"));
    EXPECT_EQ(value(arrived[0].head.headers, "x_own"), "1");
    EXPECT_EQ(value(arrived[0].head.headers, "my_x_forwarded_for"), "2");
    EXPECT_FALSE(arrived[0].trailers.has("x_real_ip"));
    EXPECT_EQ(value(arrived[0].trailers, "x_sum"), "3");
}

// Goal: each hop is a span of its own in the caller's trace; an invalid trace or request id is replaced.
TEST(GatewayProxy, TraceGoesOnAsChild) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    fleet.send_raw("GET /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: a b\r\ntraceparent: 00-" +
                   trace + "-00f067aa0ba902b7-01\r\ntracestate: v=1\r\n\r\n");
    fleet.send_raw(
        "GET /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\ntraceparent: 00-zz\r\ntracestate: v=1\r\n\r\n");
    ASSERT_EQ(arrived.size(), 2u);
    const auto parent = value(arrived[0].head.headers, "traceparent");
    EXPECT_THAT(parent, HasSubstr(trace));
    EXPECT_THAT(parent, testing::Not(HasSubstr("00f067aa0ba902b7")));
    EXPECT_EQ(value(arrived[0].head.headers, "tracestate"), "v=1");
    EXPECT_TRUE(is_uuid(value(arrived[0].head.headers, "x-request-id")));
    EXPECT_TRUE(TraceContext::parse(value(arrived[1].head.headers, "traceparent")).valid());
    EXPECT_EQ(value(arrived[1].head.headers, "tracestate"), "(absent)");
}

// Goal: Connection cannot be used to take away framing or what the gateway says, and hop-by-hop fields end here.
TEST(GatewayProxy, HopByHopFieldsEndHere) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const auto answer =
        fleet.send_raw("POST /api/users HTTP/1.1\r\nHost: x\r\n"
                       "Connection: close, content-length, x-forwarded-for, x-request-id, traceparent, x-private\r\n"
                       "Keep-Alive: timeout=5\r\nProxy-Authorization: secret\r\nProxy-Connection: keep-alive\r\n"
                       "Upgrade: websocket\r\nTE: trailers, deflate\r\nTrailer: x\r\n"
                       "X-Private: 1\r\nX-Request-Id: mine\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(arrived[0].body, "abc");
    const auto& headers = arrived[0].head.headers;
    for (const auto* gone :
         {"keep-alive", "proxy-authorization", "proxy-connection", "upgrade", "trailer", "x-private"}) {
        EXPECT_FALSE(headers.has(gone)) << gone;
    }
    EXPECT_EQ(value(headers, "te"), "trailers");
    EXPECT_EQ(value(headers, "connection"), "TE");
    EXPECT_EQ(value(headers, "x-forwarded-for"), "127.0.0.1");
    EXPECT_EQ(value(headers, "x-request-id"), "mine");
    EXPECT_TRUE(headers.has("traceparent"));
}

// Goal: the upstream's status, fields and body reach the client unchanged, without its hop-by-hop fields.
TEST(GatewayProxy, AnswerIsUnchanged) {
    TestFleet fleet;
    fleet.serve_script("user-service", [](Context& context, Stream& stream) -> task<void> {
        std::array<char, 4096> buffer;
        std::ignore = co_await stream.read(context, buffer);
        std::ignore = co_await stream.write(
            context, "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
                     "Keep-Alive: 5\r\nX-Request-Id: theirs\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nshort");
    });
    fleet.start(kRoutes);
    const auto response = fleet.get("/api/users");
    EXPECT_EQ(response.status(), 418);
    EXPECT_EQ(response.body, "short");
    EXPECT_FALSE(response.head.headers.has("x-hop"));
    EXPECT_FALSE(response.head.headers.has("keep-alive"));
    EXPECT_TRUE(is_uuid(value(response.head.headers, "x-request-id")));
    std::string cookies;
    for (std::size_t i = 0; i < response.head.headers.size(); ++i) {
        if (response.head.headers[i].name == "Set-Cookie") cookies += response.head.headers[i].value;
    }
    EXPECT_EQ(cookies, "a=1b=2");
}

// Goal: HEAD gets the fields of GET, and answers without a body stay without.
TEST(GatewayProxy, BodilessAnswersStaySo) {
    TestFleet fleet;
    fleet.serve("user-service", [](Context& context, http::Exchange& exchange) -> task<void> {
        const bool gone = exchange.request().target.ends_with("gone");
        std::ignore =
            co_await exchange.respond(context, {.status = gone ? 204 : 200, .headers = {}}, gone ? "" : "12345");
    });
    fleet.start(kRoutes);
    const auto head = fleet.send(Method::head, "/api/users");
    EXPECT_EQ(head.status(), 200);
    EXPECT_EQ(head.body, "");
    const auto raw = fleet.send_raw("HEAD /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(raw, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_THAT(raw, testing::EndsWith("\r\n\r\n"));
    EXPECT_EQ(fleet.get("/api/users/gone").status(), 204);
}

// Goal: what is measured and logged about a request.
TEST(GatewayProxy, RequestIsRecorded) {
    TestFleet fleet;
    fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    EXPECT_EQ(fleet.get("/people/42").status(), 200);
    EXPECT_EQ(fleet.get("/nothing").status(), 404);
    const auto text = fleet.get("/metrics").body;
    EXPECT_THAT(text, testing::ContainsRegex(
                          "http_server_request_duration_seconds_count\\{[^}]*http_route=\"/people/\\{id\\}\""));
    EXPECT_THAT(text, HasSubstr("http_response_status_code=\"404\""));
    EXPECT_THAT(text, HasSubstr("http_client_request_duration_seconds_count"));
    EXPECT_THAT(fleet.log_lines(), testing::Contains(HasSubstr("\"path\":\"/people/42\"")));
    EXPECT_THAT(fleet.log_lines(), testing::Contains(HasSubstr("\"route\":\"/people/{id}\"")));
}

} // namespace
} // namespace flotilla::gateway::proxy_test
