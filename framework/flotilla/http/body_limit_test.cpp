// How much body a request may have and how long it may take, once it is known what it is for.
#include <flotilla/http/attempts.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/http/request_context.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::body_limit_test {
namespace {

using namespace std::chrono_literals;

std::string post(const std::string& target, const std::string& fields, const std::string& body = "") {
    return "POST " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

/// Limits the body to what the path says ("/20": 20 bytes, "/": nothing of its own), reads and counts it.
task<void> count_body(Context& context, Exchange& exchange) {
    const auto target = exchange.request().target;
    Result<void> limited;
    if (target != "/") limited = exchange.limit_body(std::stoul(target.substr(1)));
    Result<std::string> body = limited ? co_await exchange.read_all(context) : Result<std::string>(limited.error());
    if (!body) {
        std::ignore = co_await respond_error(context, exchange, body.error());
        co_return;
    }
    EXPECT_TRUE(co_await exchange.respond(context, {}, "got " + std::to_string(body->size())));
}

// Goal: the handler's limit replaces the server's, upwards and downwards, for bodies of both framings.
TEST(BodyLimit, HandlersLimitReplacesTheServers) {
    with_server(
        {.body_bytes_max = 10}, count_body, [](Context& context, Server& server, Address address) -> task<void> {
            const std::string large(1000, 'x');
            const std::vector<std::tuple<std::string, std::string, std::string>> cases{
                {"/", "0123456789", "got 10"},
                {"/", "0123456789a", "413 "},
                {"/1000", large, "got 1000"},
                {"/1000", large + "x", "413 "},
                {"/5", "01234", "got 5"},
                {"/5", "012345", "413 "},
                {"/18446744073709551615", large, "got 1000"},
            };
            std::uint64_t refused = 0;
            for (const auto& [target, body, want] : cases) {
                char size[32];
                std::snprintf(size, sizeof size, "%zx\r\n", body.size());
                for (const auto& request :
                     {post(target, "Content-Length: " + std::to_string(body.size()) + "\r\n", body),
                      post(target, "Transfer-Encoding: chunked\r\n", size + body + "\r\n0\r\n\r\n")}) {
                    auto wire = co_await Wire::connect(context, address);
                    co_await wire->say(request);
                    const auto answer = co_await wire->response();
                    EXPECT_NE(answer.find(want), std::string::npos) << target << " " << body.size() << "\n" << answer;
                    if (want != "413 ") continue;
                    ++refused;
                    EXPECT_NE(answer.find("content_too_large"), std::string::npos) << answer;
                    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
                }
            }
            EXPECT_EQ(server.statistics().protocol_errors, refused);
        });
}

// Goal: who asks before sending is refused without being told to go on, by the server's limit and by the handler's.
TEST(BodyLimit, ExpectedBodyIsRefusedWithoutContinue) {
    with_server({.body_bytes_max = 10}, count_body, [](Context& context, Server&, Address address) -> task<void> {
        for (const auto* target : {"/", "/100"}) {
            auto wire = co_await Wire::connect(context, address);
            co_await wire->say(post(target, "Expect: 100-continue\r\nContent-Length: 101\r\n"));
            const auto answer = co_await wire->rest();
            EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
            EXPECT_EQ(answer.find("100 Continue"), std::string::npos) << answer;
        }
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(post("/100", "Expect: 100-continue\r\nContent-Length: 100\r\n"));
        EXPECT_EQ(co_await wire->until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        co_await wire->say(std::string(100, 'x'));
        EXPECT_TRUE((co_await wire->response()).ends_with("got 100"));
    });
}

// Goal: an announced length above the limit is refused before any of the body has come.
TEST(BodyLimit, AnnouncedBodyIsRefusedBeforeItComes) {
    with_server({.body_bytes_max = 10}, count_body, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(post("/100", "Content-Length: 101\r\n"));
        EXPECT_TRUE((co_await wire->response()).starts_with("HTTP/1.1 413 "));
        // A chunk is refused when its size is announced.
        auto chunked = co_await Wire::connect(context, address);
        co_await chunked->say(
            post("/100", "Transfer-Encoding: chunked\r\n", "64\r\n" + std::string(100, 'x') + "\r\n"));
        co_await chunked->say("1\r\n");
        EXPECT_TRUE((co_await chunked->response()).starts_with("HTTP/1.1 413 "));
    });
}

// Goal: a body above the limit that nobody reads does not fail the request, and ends the connection in the open.
TEST(BodyLimit, UnreadBodyAboveTheLimitEndsTheConnection) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.respond(context, {}, "unread"));
    };
    with_server({.body_bytes_max = 10}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(post("/", "Content-Length: 100\r\n", std::string(100, 'x')));
        const auto answer = co_await wire->rest();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
        EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
        EXPECT_TRUE(answer.ends_with("unread")) << answer;
    });
}

// Goal: the handler's time replaces the server's, upwards and downwards; an earlier deadline of the client stays.
TEST(TimeLimit, HandlersTimeReplacesTheServersButNotTheClients) {
    std::vector<Duration> seen;
    Handler handler = [&seen](Context& context, Exchange& exchange) -> task<void> {
        exchange.limit_time(std::chrono::seconds(std::stoi(exchange.request().target.substr(1))));
        seen.push_back(context.remaining());
        EXPECT_TRUE(co_await exchange.respond(context, {}, {}));
    };
    with_server({.request_timeout = 5s}, handler, [&seen](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(post("/15", ""));
        co_await wire->response();
        co_await wire->say(post("/15", "flotilla-timeout-ms: 10000\r\n"));
        co_await wire->response();
        co_await wire->say(post("/15", "grpc-timeout: 3S\r\n"));
        co_await wire->response();
        co_await wire->say(post("/1", "flotilla-timeout-ms: 20000\r\n"));
        co_await wire->response();
        const std::vector<Duration> most{15s, 10s, 3s, 1s};
        for (std::size_t i = 0; i < most.size(); ++i) {
            EXPECT_LE(seen.at(i), most[i]) << i;
            EXPECT_GT(seen.at(i), most[i] * 2 / 3) << i;
        }
    });
}

// Goal: a client's deadline runs while its request waits for a busy loop: one that has passed by then is told the
// handler before it begins.
TEST(TimeLimit, WaitingForTheLoopCounts) {
    std::vector<bool> in_time;
    Handler handler = [&in_time](Context& context, Exchange& exchange) -> task<void> {
        in_time.push_back(!context.cancelled());
        const Instant end = context.world().refresh() + 15ms;
        while (context.world().refresh() < end) {
        }
        EXPECT_TRUE(co_await respond_error(context, exchange,
                                           context.cancelled() ? context.reason() : Error(Kind::not_found, "done")));
    };
    with_server({}, handler, [&in_time](Context& context, Server& server, Address address) -> task<void> {
        auto first = co_await Wire::connect(context, address);
        auto second = co_await Wire::connect(context, address);
        co_await turn_until(context, [&] { return server.statistics().connections == 2; });
        co_await turn(context); // both are waited for
        for (auto* wire : {first.get(), second.get()})
            EXPECT_EQ(wire->stream().write_now(post("/", "flotilla-timeout-ms: 10\r\n")),
                      post("/", "flotilla-timeout-ms: 10\r\n").size());
        EXPECT_TRUE((co_await first->response()).starts_with("HTTP/1.1 404 "));
        EXPECT_TRUE((co_await second->response()).starts_with("HTTP/1.1 504 "));
        EXPECT_EQ(in_time, (std::vector{true, false}));
    });
}

// Goal: a client says how critical its request is; where that is limited it may lower it and not raise it, and what is
// no criticality is refused in words.
TEST(CriticalityLimit, ClientMayLowerIt) {
    std::vector<std::string> seen;
    Handler handler = [&seen](Context& context, Exchange& exchange) -> task<void> {
        if (exchange.request().target != "/")
            exchange.limit_criticality(parse_criticality(exchange.request().target.substr(1)).value());
        seen.emplace_back(name(context.criticality));
        EXPECT_TRUE(co_await exchange.respond(context, {}, {}));
    };
    with_server({}, handler, [&seen](Context& context, Server&, Address address) -> task<void> {
        const auto ask = [&](std::string target, std::string fields) -> task<std::string> {
            auto wire = co_await Wire::connect(context, address);
            co_await wire->say(post(target, fields + "Connection: close\r\n"));
            co_return co_await wire->rest();
        };
        const std::string critical = "flotilla-criticality: critical\r\n";
        co_await ask("/", "");
        co_await ask("/", critical);
        co_await ask("/normal", critical);
        co_await ask("/critical", "");
        co_await ask("/critical", "Flotilla-Criticality: sheddable\r\n");
        co_await ask("/sheddable", "");
        EXPECT_EQ(seen,
                  (std::vector<std::string>{"normal", "critical", "normal", "critical", "sheddable", "sheddable"}));
        const auto wrong = co_await ask("/", "flotilla-criticality: high\r\n");
        EXPECT_TRUE(wrong.starts_with("HTTP/1.1 400 ")) << wrong;
        EXPECT_NE(wrong.find("flotilla-criticality: a criticality is critical, normal or sheddable"), wrong.npos)
            << wrong;
        const auto twice = co_await ask("/", critical + critical);
        EXPECT_TRUE(twice.starts_with("HTTP/1.1 400 ")) << twice;
        EXPECT_EQ(seen.size(), 6u);
    });
}

// Goal: how many tries were spent before is found by whoever calls on, and what is no such number is refused in words.
TEST(AttemptsSpent, RequestSaysHowMany) {
    std::vector<std::uint32_t> seen;
    Handler handler = [&seen](Context& context, Exchange& exchange) -> task<void> {
        Context inner(context, Duration(1s));
        seen.push_back(attempts_spent(inner));
        EXPECT_TRUE(co_await exchange.respond(context, {}, {}));
    };
    with_server({}, handler, [&seen](Context& context, Server&, Address address) -> task<void> {
        const auto ask = [&](std::string fields) -> task<std::string> {
            auto wire = co_await Wire::connect(context, address);
            co_await wire->say(post("/", fields + "Connection: close\r\n"));
            co_return co_await wire->rest();
        };
        co_await ask("");
        co_await ask("flotilla-attempts: 0\r\n");
        co_await ask("Flotilla-Attempts: 3\r\n");
        EXPECT_EQ(seen, (std::vector<std::uint32_t>{0, 0, 3}));
        for (const std::string wrong : {"-1", "many", "1000", ""}) {
            const auto answer = co_await ask("flotilla-attempts: " + wrong + "\r\n");
            EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
            EXPECT_NE(answer.find("flotilla-attempts is not a number of three digits at most"), answer.npos) << answer;
        }
        const auto twice = co_await ask("flotilla-attempts: 1\r\nflotilla-attempts: 1\r\n");
        EXPECT_TRUE(twice.starts_with("HTTP/1.1 400 ")) << twice;
        EXPECT_EQ(seen.size(), 3u);
    });
}

// Goal: a request whose time was raised outlives the server's, one whose time was lowered ends with 504.
TEST(TimeLimit, NewTimeIsEnforced) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        const bool longer = exchange.request().target == "/longer";
        exchange.limit_time(longer ? Duration(1h) : Duration(10ms));
        auto slept = co_await sleep_for(context, longer ? Duration(80ms) : Duration(1h));
        if (!slept) co_return; // the server answers
        EXPECT_TRUE(co_await exchange.respond(context, {}, "in time"));
    };
    with_server({.request_timeout = 30ms}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(post("/longer", ""));
        EXPECT_TRUE((co_await wire->response()).ends_with("in time"));
        co_await wire->say(post("/shorter", ""));
        EXPECT_TRUE((co_await wire->response()).starts_with("HTTP/1.1 504 "));
    });
}

// Goal: a handler that takes its time between two pieces does not spend the sender's.
TEST(TimeLimit, SlowHandlerDoesNotSpendTheSendersTime) {
    Event first_piece;
    Handler handler = [&first_piece](Context& context, Exchange& exchange) -> task<void> {
        auto piece = co_await exchange.read(context);
        EXPECT_TRUE(piece && *piece == "hello");
        first_piece.notify();
        EXPECT_TRUE(co_await sleep_for(context, 120ms)); // longer than the whole body may take
        piece = co_await exchange.read(context);
        EXPECT_TRUE(piece && *piece == " world");
        EXPECT_TRUE(co_await exchange.respond(context, {}, piece ? "whole" : piece.error().code()));
    };
    with_server({.body_timeout = 60ms, .body_bytes_per_second_min = 0}, handler,
                [&first_piece](Context& context, Server&, Address address) -> task<void> {
                    auto wire = co_await Wire::connect(context, address);
                    co_await wire->say(post("/", "Content-Length: 11\r\n", "hello"));
                    EXPECT_TRUE(co_await first_piece.wait(context));
                    co_await wire->say(" world");
                    EXPECT_TRUE((co_await wire->response()).ends_with("whole"));
                });
}

// Goal: a client that stalls its upload until the request's time is over is told that it was late, whoever set that
// time; it may not go on where the next request is expected.
TEST(BodyTime, StallPastTheDeadlineIs408) {
    for (const std::string fields : {"", "flotilla-timeout-ms: 20\r\n"}) {
        const ServerOptions options{.request_timeout = fields.empty() ? Duration(20ms) : Duration(10s)};
        with_server(options, count_body, [&](Context& context, Server&, Address address) -> task<void> {
            auto wire = co_await Wire::connect(context, address);
            co_await wire->say(post("/", fields + "Content-Length: 5\r\n", "hel"));
            const auto text = co_await wire->rest();
            EXPECT_TRUE(text.starts_with("HTTP/1.1 408 ")) << text;
            EXPECT_NE(text.find("Connection: close\r\n"), std::string::npos) << text;
            EXPECT_NE(text.find("request_timeout"), std::string::npos) << text;
        });
    }
}

// Goal: a handler that is late itself does not blame the client whose body it asks for only then.
TEST(BodyTime, HandlerThatReadsTooLateIs504) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        std::ignore = co_await sleep_for(context, 1h);
        auto body = co_await exchange.read_all(context);
        EXPECT_FALSE(body);
        if (!body) std::ignore = co_await respond_error(context, exchange, body.error());
    };
    with_server({.request_timeout = 20ms}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(post("/", "Content-Length: 5\r\n", "hel"));
        const auto text = co_await wire->rest();
        EXPECT_TRUE(text.starts_with("HTTP/1.1 504 ")) << text;
    });
}

} // namespace
} // namespace flotilla::http::body_limit_test
