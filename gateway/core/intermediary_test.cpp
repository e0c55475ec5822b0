#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/http/problem.hpp>

#include "gateway/core/folded_name.hpp"
#include "gateway/core/test_fleet.hpp"

// What RFC 9110 and 9112 demand of who stands in between; docs/http.md lists all of it.

namespace flotilla::gateway::intermediary_test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kRoutes = R"(
routes:
  - match: {path: "/read", method: GET}
    to: user-service
  - match: {path: "/api/{rest...}"}
    to: user-service
    rewrite: /{rest...}
  - match: {path: "/{rest...}"}
    to: user-service
compositions:
  - match: {path: "/composed/{id}"}
    answer:
      user: {get: "user-service/users/{id}"}
)";

std::string value(const http::Headers& headers, std::string_view name) {
    return std::string(headers.get(name).value_or("(absent)"));
}

std::string all_values(const http::Headers& headers, std::string_view name) {
    std::string all;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (headers[i].name == name) all.append(all.empty() ? "" : " | ").append(headers[i].value);
    }
    return all;
}

// Goal: letters in lower case, digits, and one character for all else, at any size and place; of long names the begin.
TEST(FoldedName, IsWhatTheMostLenientReaderSees) {
    for (std::size_t size = 0; size <= 40; ++size) {
        for (int byte = 1; byte < 256; ++byte) {
            const char c = static_cast<char>(byte);
            for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
                std::string name(size, 'x'), folded(std::min<std::size_t>(size, 32), 'x');
                const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
                if (at < size) name[at] = c;
                if (at < folded.size()) folded[at] = letter ? static_cast<char>(c | 0x20) : digit ? c : '-';
                const FoldedName made(name);
                ASSERT_EQ(made.text(), folded) << name;
                ASSERT_EQ(made.exact(), at >= folded.size() || letter || digit || c == '-') << name;
            }
        }
    }
}

/// A request by hand that is the last on its connection.
std::string last(std::string_view start, std::string_view fields = "", std::string_view version = "1.1") {
    return std::string(start) + " HTTP/" + std::string(version) + "\r\nHost: x\r\nConnection: close\r\n" +
           std::string(fields) + "\r\n";
}

/// Plays a service: keeps what it reads up to the head's end, answers with `answer`.
TestFleet::Script answering(std::string answer, std::string& heard) {
    return [answer = std::move(answer), &heard](Context& context, Stream& stream) -> task<void> {
        std::array<char, 4096> buffer;
        while (!heard.contains("\r\n\r\n")) {
            const auto bytes = co_await stream.read(context, buffer);
            if (!bytes || *bytes == 0) co_return;
            heard.append(buffer.data(), *bytes);
        }
        std::ignore = co_await stream.write(context, answer);
    };
}

// Goal: an OPTIONS request that may go no further is answered here, whatever the route; TRACE never goes further.
TEST(GatewayMaxForwards, ZeroIsAnsweredHere) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const auto read = fleet.send(Method::options, "/read", {}, {{"Max-Forwards", "0"}});
    EXPECT_EQ(read.status(), 204);
    EXPECT_EQ(value(read.head.headers, "allow"), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    const auto composed = fleet.send(Method::options, "/composed/1", {}, {{"Max-Forwards", "00"}});
    EXPECT_EQ(composed.status(), 204);
    EXPECT_THAT(fleet.send_raw(last("TRACE /read", "Max-Forwards: 0\r\n")), StartsWith("HTTP/1.1 405"));
    EXPECT_THAT(fleet.send_raw(last("TRACE /read", "Max-Forwards: 9\r\n")), StartsWith("HTTP/1.1 405"));
    EXPECT_TRUE(arrived.empty());
}

// Goal: what is allowed is what the path's own routes allow; a path without routes stays unknown.
TEST(GatewayMaxForwards, ZeroTellsTheMethodsOfThePath) {
    TestFleet fleet;
    fleet.start("routes:\n  - match: {path: /read, method: GET}\n    to: user-service\n");
    const auto read = fleet.send(Method::options, "/read", {}, {{"Max-Forwards", "0"}});
    EXPECT_EQ(read.status(), 204);
    EXPECT_EQ(value(read.head.headers, "allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(fleet.send(Method::options, "/none", {}, {{"Max-Forwards", "0"}}).status(), 404);
}

// Goal: each hop takes one off; who does not count gets no count; a count that is none is refused.
TEST(GatewayMaxForwards, CountsDown) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const std::string huge = "99999999999999999999";
    fleet.send(Method::options, "/a", {}, {{"Max-Forwards", "3"}});
    fleet.send(Method::options, "/a", {}, {{"max-forwards", huge}});
    fleet.send(Method::options, "/a");
    fleet.send(Method::get, "/a", {}, {{"Max-Forwards", "0"}});
    ASSERT_EQ(arrived.size(), 4u);
    EXPECT_EQ(all_values(arrived[0].head.headers, "max-forwards"), "2");
    EXPECT_FALSE(arrived[0].head.headers.has("Max-Forwards") && arrived[0].head.headers.lists("Max-Forwards", "3"));
    EXPECT_EQ(all_values(arrived[1].head.headers, "max-forwards"), "4294967294");
    EXPECT_FALSE(arrived[2].head.headers.has("max-forwards"));
    EXPECT_EQ(value(arrived[3].head.headers, "max-forwards"), "0") << "means nothing to GET";
    for (const auto* bad : {"Max-Forwards: -1\r\n", "Max-Forwards: x\r\n", "Max-Forwards:\r\n",
                            "Max-Forwards: 1\r\nMax-Forwards: 1\r\n"}) {
        EXPECT_THAT(fleet.send_raw(last("OPTIONS /a", bad)), StartsWith("HTTP/1.1 400")) << bad;
    }
    EXPECT_EQ(arrived.size(), 4u);
}

// Goal: both ways the gateway adds itself behind who was there before, with the version it was spoken to in.
TEST(GatewayVia, IsAddedBothWays) {
    TestFleet fleet;
    std::string heard;
    fleet.serve_script("user-service",
                       answering("HTTP/1.0 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 0\r\n\r\n", heard));
    fleet.start(kRoutes);
    const auto answer = fleet.get("/a");
    EXPECT_THAT(heard, HasSubstr("\r\nvia: 1.1 flotilla\r\n"));
    EXPECT_THAT(heard, Not(HasSubstr("127.0.0.1:"))) << "nothing internal is told";
    EXPECT_EQ(value(answer.head.headers, "via"), "1.1 inner");
    EXPECT_TRUE(answer.head.headers.lists("via", "1.0 flotilla"));

    heard.clear();
    fleet.send_raw("GET /a HTTP/1.0\r\nHost: x\r\nVia: 1.1 a (flotilla, Inc)\r\nVia: 1.1 b\r\n\r\n");
    EXPECT_THAT(heard, StartsWith("GET /a HTTP/1.1\r\n")) << "each hop speaks its own version";
    EXPECT_THAT(heard, HasSubstr("Via: 1.1 a (flotilla, Inc)\r\nVia: 1.1 b\r\nvia: 1.0 flotilla\r\n"));
}

// Goal: a request that leads back to the gateway ends, and is told from a few gateways in a row.
TEST(GatewayVia, CircleIsEnded) {
    TestFleet fleet;
    int rounds = 0;
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        ++rounds;
        http::Request again{.head = exchange.request(), .body = {}};
        auto answer = co_await fleet.client().fetch(context, fleet.address(), std::move(again));
        std::ignore = co_await exchange.respond(context, answer ? answer->head : http::ResponseHead{.status = 500},
                                                answer ? answer->body : "");
    });
    fleet.start(kRoutes);
    const auto answer = fleet.get("/a");
    EXPECT_EQ(answer.status(), 508);
    EXPECT_THAT(answer.body, HasSubstr("\"code\":\"loop_detected\""));
    EXPECT_EQ(rounds, 4);
}

// Goal: TE is for the next recipient alone, which is told so.
TEST(GatewayTe, IsNamedInConnection) {
    TestFleet fleet;
    std::string heard;
    fleet.serve_script("user-service", answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", heard));
    fleet.start(kRoutes);
    fleet.send_raw("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close, TE\r\nTE: trailers, gzip;q=0.5\r\n\r\n");
    EXPECT_THAT(heard, HasSubstr("\r\nte: trailers\r\n"));
    EXPECT_THAT(heard, HasSubstr("\r\nConnection: TE\r\n"));
    heard.clear();
    fleet.get("/a");
    EXPECT_THAT(heard, Not(HasSubstr("Connection:")));
}

// Goal: what Connection names is removed from the trailers as well, both ways.
TEST(GatewayConnection, NamedTrailersEndHere) {
    TestFleet fleet;
    std::string heard;
    fleet.serve_script("user-service", [&heard](Context& context, Stream& stream) -> task<void> {
        std::array<char, 4096> buffer;
        while (!heard.contains("X-End: 2")) {
            const auto bytes = co_await stream.read(context, buffer);
            if (!bytes || *bytes == 0) co_return;
            heard.append(buffer.data(), *bytes);
        }
        std::ignore =
            co_await stream.write(context, "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n"
                                           "1\r\ny\r\n0\r\nX-Hop: 1\r\nX-Sum: 2\r\n\r\n");
    });
    fleet.start(kRoutes);
    const auto answer =
        fleet.send_raw("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close, X-Private\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Private: 1\r\nX-End: 2\r\n\r\n");
    EXPECT_THAT(heard, HasSubstr("X-End: 2"));
    EXPECT_THAT(heard, Not(HasSubstr("X-Private")));
    EXPECT_THAT(answer, HasSubstr("X-Sum: 2"));
    EXPECT_THAT(answer, Not(HasSubstr("X-Hop")));
}

// Goal: what only the origin can judge reaches it as it came: conditions, ranges, credentials, unknown fields, in
// order.
TEST(GatewayFields, OriginsFieldsAreForwarded) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    const std::vector<std::pair<std::string, std::string>> fields{{"If-Match", "\"a\""},
                                                                  {"If-None-Match", "W/\"b\""},
                                                                  {"If-Modified-Since", "yesterday"},
                                                                  {"If-Range", "\"c\""},
                                                                  {"Range", "bytes=1-2"},
                                                                  {"Authorization", "Basic dTpw"},
                                                                  {"X-Never-Heard-Of", "1"},
                                                                  {"Accept-Language", "b"},
                                                                  {"X-Never-Heard-Of", "0"},
                                                                  {"Cache-Control", "no-transform"}};
    EXPECT_EQ(fleet.send(Method::get, "/a", {}, fields).status(), 200) << "no condition is evaluated here";
    ASSERT_EQ(arrived.size(), 1u);
    for (const auto& [name, text] : fields)
        EXPECT_TRUE(arrived[0].head.headers.has(name)) << name;
    EXPECT_EQ(value(arrived[0].head.headers, "If-Modified-Since"), "yesterday");
    EXPECT_EQ(value(arrived[0].head.headers, "Authorization"), "Basic dTpw");
    EXPECT_EQ(all_values(arrived[0].head.headers, "X-Never-Heard-Of"), "1 | 0");
}

// Goal: what the origin says to the client is not touched, and a Date is added where none came.
TEST(GatewayFields, OriginsAnswerIsForwarded) {
    TestFleet fleet;
    std::string heard;
    fleet.serve_script("user-service",
                       answering("HTTP/1.1 401 No\r\nContent-Length: 2\r\nWWW-Authenticate: Basic realm=\"a\", B\r\n"
                                 "Allow: GET, BREW\r\nVary: Accept\r\nX-A: 1\r\nX-B: 2\r\nX-A: 3\r\n\r\nno",
                                 heard));
    fleet.start(kRoutes);
    const auto answer = fleet.get("/a");
    EXPECT_EQ(answer.status(), 401);
    EXPECT_EQ(answer.body, "no");
    EXPECT_EQ(value(answer.head.headers, "www-authenticate"), "Basic realm=\"a\", B");
    EXPECT_EQ(value(answer.head.headers, "allow"), "GET, BREW");
    EXPECT_EQ(value(answer.head.headers, "vary"), "Accept");
    EXPECT_EQ(all_values(answer.head.headers, "X-A"), "1 | 3");
    EXPECT_TRUE(answer.head.headers.has("date"));
}

// Goal: an answer whose end two readers could see in different places is not passed on.
TEST(GatewayFields, AmbiguousAnswersAreBadGateway) {
    for (const auto* bad : {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
                            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
                            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
        TestFleet fleet;
        std::string heard;
        fleet.serve_script("user-service", answering(bad, heard));
        fleet.start(kRoutes);
        EXPECT_EQ(fleet.send(Method::post, "/a", "{}").status(), 502) << bad;
    }
}

// Goal: nothing is switched to, and no tunnel is opened: what is asked for the connection ends at it.
TEST(GatewayConnection, NoUpgradeAndNoTunnel) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kRoutes);
    EXPECT_THAT(
        fleet.send_raw("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        StartsWith("HTTP/1.1 200"));
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_FALSE(arrived[0].head.headers.has("upgrade"));
    EXPECT_THAT(fleet.send_raw("CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", true), StartsWith("HTTP/1.1 501"));
    EXPECT_EQ(arrived.size(), 1u);
}

// Goal: a problem names the path that the client asked for, whoever makes it and whatever the path became on the way.
TEST(GatewayProblem, InstanceIsTheClientsPath) {
    TestFleet fleet;
    std::vector<std::string> forwarded;
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        forwarded.push_back(value(exchange.request().headers, "x-forwarded-path"));
        std::ignore = co_await http::respond_error(context, exchange, Error(Kind::not_found, "Not found"));
    });
    fleet.start(kRoutes);
    const auto instance = [&](std::string target) {
        const auto body = fleet.send(Method::get, std::move(target), {}, {{"X-Forwarded-Path", "/forged"}}).body;
        const auto at = body.find("\"instance\":\"") + 12;
        return body.substr(at, body.find('"', at) - at);
    };
    EXPECT_EQ(instance("/api/users/42?secret=1"), "/api/users/42");
    EXPECT_EQ(instance("/users/42"), "/users/42");
    EXPECT_EQ(instance("//api/./users/4%32"), "//api/./users/4%32");
    EXPECT_EQ(instance("/composed/42"), "/composed/42");
    EXPECT_EQ(instance("/api/users/%zz"), "/api/users/%zz");
    EXPECT_THAT(forwarded, testing::ElementsAre("/api/users/42", "(absent)", "//api/./users/4%32", "/composed/42"));
}

} // namespace
} // namespace flotilla::gateway::intermediary_test
