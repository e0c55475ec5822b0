// Times, deadlines, connection limits and shutdown of the server.
#include <flotilla/http/server.hpp>

#include <flotilla/http/problem.hpp>
#include <flotilla/http/request_context.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::server_limits_test {
namespace {

using namespace std::chrono_literals;

std::string get(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

task<void> answer(Context& context, Exchange& exchange) { EXPECT_TRUE(co_await exchange.respond(context, {}, "done")); }

/// Waits until its context ends.
task<void> wait_forever(Context& context, Exchange&) { std::ignore = co_await sleep_for(context, 1h); }

// Goal: a head that trickles in is answered 408; a connection that says nothing is closed without a word.
TEST(ServerTimes, SlowHeadIs408) {
    with_server({.header_timeout = 30ms}, answer, [](Context& context, Server&, Address address) -> task<void> {
        auto slow = co_await Wire::connect(context, address);
        auto silent = co_await Wire::connect(context, address);
        co_await slow->say("GET / HTTP/1.1\r\nHo");
        const auto text = co_await slow->rest();
        EXPECT_TRUE(text.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << text;
        EXPECT_NE(text.find("request_timeout"), std::string::npos) << text;
        EXPECT_EQ(co_await silent->rest(), "");
    });
}

/// Waits until its context ends and notes why.
Handler noting(std::vector<std::string>& reasons) {
    return [&reasons](Context& context, Exchange& exchange) -> task<void> {
        if (exchange.request().target == "/quick") co_return co_await answer(context, exchange);
        std::ignore = co_await sleep_for(context, 1h);
        reasons.push_back(exchange.request().target + " " + context.reason().code());
    };
}

// Goal: a handler is told that its client has gone, on a connection's first request and on a later one.
TEST(ServerTimes, ClientThatResetsCancelsItsHandler) {
    std::vector<std::string> reasons;
    with_server({.client_check_interval = 2ms}, noting(reasons),
                [&](Context& context, Server&, Address address) -> task<void> {
                    auto first = co_await Wire::connect(context, address);
                    co_await first->say(get("/first"));
                    auto later = co_await Wire::connect(context, address);
                    co_await later->say(get("/quick"));
                    co_await later->until("done");
                    co_await later->say(get("/later"));
                    for (int i = 0; i < 10; ++i)
                        co_await turn(context);
                    EXPECT_TRUE(reasons.empty());
                    first->stream().reset();
                    co_await turn_until(context, [&] { return reasons.size() == 1; });
                    later->stream().reset();
                    co_await turn_until(context, [&] { return reasons.size() == 2; });
                });
    EXPECT_EQ(reasons, (std::vector<std::string>{"/first client_gone", "/later client_gone"}));
}

// Goal: who closes only its sending half has gone where the options say so, and is answered elsewhere.
TEST(ServerTimes, HalfClosedClientHasGoneOnlyWhereTheOptionsSaySo) {
    for (const bool gone : {false, true}) {
        std::vector<std::string> reasons;
        Event waited;
        Handler handler = [&](Context& context, Exchange& exchange) -> task<void> {
            if (exchange.request().target != "/half") co_return co_await noting(reasons)(context, exchange);
            if (!co_await waited.wait(context)) co_return reasons.push_back("/half " + context.reason().code());
            co_await answer(context, exchange);
        };
        with_server({.client_check_interval = 2ms, .cancel_on_half_close = gone}, handler,
                    [&](Context& context, Server&, Address address) -> task<void> {
                        auto half = co_await Wire::connect(context, address);
                        co_await half->say(get("/half"));
                        half->stream().shutdown_write();
                        if (!gone) {
                            // Each of these is noticed by a look that the first one, too, was subject to.
                            for (std::size_t i = 1; i <= 2; ++i) {
                                auto other = co_await Wire::connect(context, address);
                                co_await other->say(get("/other"));
                                co_await turn(context);
                                other->stream().reset();
                                co_await turn_until(context, [&] { return reasons.size() == i; });
                            }
                            waited.notify();
                            EXPECT_TRUE((co_await half->rest()).ends_with("done"));
                        } else {
                            co_await turn_until(context, [&] { return !reasons.empty(); });
                            EXPECT_EQ(reasons.front(), "/half client_gone");
                        }
                    });
    }
}

// Goal: the head's time counts from its first byte, not from the end of the request before.
TEST(ServerTimes, IdleConnectionIsClosedWithoutAWord) {
    with_server({.idle_timeout = 30ms}, answer, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/"));
        const auto all = co_await wire->rest();
        EXPECT_TRUE(all.ends_with("done")) << all;
    });
}

task<void> read_some(Context& context, Exchange& exchange) { std::ignore = co_await exchange.read(context); }

// Goal: who was answered instead of being asked for the body is not waited for, though the handler began to read.
TEST(ServerTimes, BodyThatNobodyAskedForIsNotWaitedFor) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::unknown()));
        {
            Scope reading(context);
            reading.spawn(read_some(context, exchange));
            co_await turn(context);
        }
        EXPECT_TRUE(co_await exchange.finish(context));
    };
    with_server({.header_timeout = 60s}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        const auto text = co_await wire->rest();
        EXPECT_TRUE(text.starts_with("HTTP/1.1 200 ")) << text;
        EXPECT_TRUE(text.ends_with("0\r\n\r\n")) << text;
        EXPECT_FALSE(wire->reset_by_peer()) << "the connection outlived the test's patience";
    });
}

// Goal: a body that trickles in ends with 408.
TEST(ServerTimes, SlowBodyIs408) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        auto body = co_await exchange.read_all(context);
        EXPECT_FALSE(body);
        if (!body) std::ignore = co_await respond_error(context, exchange, body.error());
    };
    with_server({.body_timeout = 30ms}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
        const auto text = co_await wire->rest();
        EXPECT_TRUE(text.starts_with("HTTP/1.1 408 ")) << text;
    });
}

// Goal: who sends at the least rate or faster may take longer than the timeout for the whole body.
TEST(ServerTimes, BodyAtTheLeastRateMayTakeItsTime) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        auto body = co_await exchange.read_all(context);
        std::ignore = co_await exchange.respond(context, {.status = body ? 200 : 408}, {});
    };
    const ServerOptions options{.body_timeout = 30ms, .body_bytes_per_second_min = 1};
    with_server(options, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello");
        std::ignore = co_await sleep_for(context, 60ms); // five bytes have bought five seconds
        co_await wire->say("!");
        const auto text = co_await wire->response();
        EXPECT_TRUE(text.starts_with("HTTP/1.1 200 ")) << text;
    });
}

// Goal: a reader that never reads does not hold a handler for longer than the write timeout.
TEST(ServerTimes, ReaderThatDoesNotReadIsDropped) {
    std::optional<Error> failure;
    Handler handler = [&failure](Context& context, Exchange& exchange) -> task<void> {
        const std::string large(64 << 20, 'x');
        auto sent = co_await exchange.respond(context, {}, large);
        if (!sent) failure = sent.error();
    };
    with_server({.write_timeout = 30ms}, handler,
                [&failure](Context& context, Server& server, Address address) -> task<void> {
                    auto wire = co_await Wire::connect(context, address);
                    co_await wire->say(get("/"));
                    co_await turn_until(context, [&] { return failure && server.statistics().connections == 0; });
                    EXPECT_EQ(failure->kind(), Kind::unavailable);
                    EXPECT_EQ(failure->code(), "client_too_slow");
                });
}

// Goal: that the request's time ends while the client does not read is the client's doing as well.
TEST(ServerTimes, ReaderThatLetsTheDeadlinePassIsTooSlow) {
    std::optional<Error> failure;
    Handler handler = [&failure](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::unknown()));
        const std::string large(64 << 20, 'x');
        auto sent = co_await exchange.write(context, large);
        if (!sent) failure = sent.error();
    };
    with_server({.request_timeout = 30ms}, handler,
                [&failure](Context& context, Server& server, Address address) -> task<void> {
                    auto wire = co_await Wire::connect(context, address);
                    co_await wire->say(get("/"));
                    co_await turn_until(context, [&] { return failure && server.statistics().connections == 0; });
                    EXPECT_EQ(failure->code(), "client_too_slow") << failure->message();
                });
}

// Goal: the caller's deadline becomes the context's, capped by our own, and 504 answers for a handler that misses it.
TEST(ServerTimes, DeadlineOfTheCallerIsEnforced) {
    std::vector<Duration> seen;
    Handler handler = [&seen](Context& context, Exchange& exchange) -> task<void> {
        seen.push_back(context.remaining());
        if (exchange.request().target == "/wait") {
            co_await wait_forever(context, exchange);
        } else {
            co_await answer(context, exchange);
        }
    };
    with_server({.request_timeout = 5s}, handler, [&seen](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/wait", "flotilla-timeout-ms: 20\r\n"));
        const auto late = co_await wire->response();
        EXPECT_TRUE(late.starts_with("HTTP/1.1 504 ")) << late;
        EXPECT_NE(late.find("deadline_exceeded"), std::string::npos) << late;
        for (const auto* fields : {"grpc-timeout: 700m\r\n", "flotilla-timeout-ms: 999999\r\n", ""}) {
            co_await wire->say(get("/", fields));
            EXPECT_TRUE((co_await wire->response()).starts_with("HTTP/1.1 200 "));
        }
        const std::vector<Duration> upper{20ms, 700ms, 5s, 5s}, lower{0ms, 500ms, 4s, 4s};
        for (std::size_t i = 0; i < 4; ++i) {
            EXPECT_LE(seen.at(i), upper[i]) << i;
            EXPECT_GE(seen.at(i), lower[i]) << i;
        }
        co_await wire->say(get("/", "flotilla-timeout-ms: 0\r\n"));
        EXPECT_TRUE((co_await wire->response()).starts_with("HTTP/1.1 504 "));
        co_await wire->say(get("/", "flotilla-timeout-ms: soon\r\n"));
        EXPECT_TRUE((co_await wire->response()).starts_with("HTTP/1.1 400 "));
        EXPECT_EQ(seen.size(), 4u);
    });
}

// Goal: an error answer that the handler itself gives after its deadline still goes out.
TEST(ServerTimes, AnswerAfterTheDeadlineIsStillSent) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        co_await wait_forever(context, exchange);
        ResponseHead head{.status = 504, .headers = {}};
        head.headers.add("X-Own", "yes");
        EXPECT_TRUE(co_await exchange.respond(context, head, "late"));
    };
    with_server({.request_timeout = 20ms}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/"));
        EXPECT_NE((co_await wire->response()).find("X-Own: yes"), std::string::npos);
    });
}

// Goal: gRPC's timeouts are read as gRPC writes them.
TEST(GrpcTimeout, ParseKnowsUnitsAndRefusesTheRest) {
    EXPECT_EQ(parse_grpc_timeout("2H"), Duration(2h));
    EXPECT_EQ(parse_grpc_timeout("3M"), Duration(3min));
    EXPECT_EQ(parse_grpc_timeout("4S"), Duration(4s));
    EXPECT_EQ(parse_grpc_timeout("250m"), Duration(250ms));
    EXPECT_EQ(parse_grpc_timeout("7u"), Duration(7us));
    EXPECT_EQ(parse_grpc_timeout("99999999n"), Duration(99'999'999));
    for (const auto* text : {"", "m", "1", "1x", "-1m", "1.5S", "123456789m"})
        EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
}

// Goal: an answer that was being made when its deadline passed still leaves: the work is done, and the caller may wait.
TEST(ServerLimits, AnswerMadeOverItsDeadlineLeaves) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_FALSE(context.cancelled());
        const auto end = std::chrono::steady_clock::now() + context.remaining() + std::chrono::milliseconds(30);
        while (std::chrono::steady_clock::now() < end) { // busy: the loop cannot see the deadline pass
        }
        co_await answer(context, exchange);
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        for (int i = 0; i < 3; ++i) { // the first answer of a connection leaves at once, whatever comes
            co_await wire->say(get("/", "flotilla-timeout-ms: 5\r\n"));
            EXPECT_TRUE((co_await wire->response()).starts_with("HTTP/1.1 200 ")) << i;
        }
    });
}

// Goal: the handler's trace is a child of the caller's; without a valid one it is new.
TEST(ServerTrace, CallersTraceIsContinued) {
    std::vector<TraceContext> seen;
    Handler handler = [&seen](Context& context, Exchange& exchange) -> task<void> {
        seen.push_back(context.trace);
        co_await answer(context, exchange);
    };
    with_server({}, handler, [&seen](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        const std::string id = "0af7651916cd43dd8448eb211c80319c", span = "b7ad6b7169203331";
        co_await wire->say(get("/", "traceparent: 00-" + id + "-" + span +
                                        "-00\r\ntracestate: a=1\r\nTraceState: b=2\r\nbaggage: c=d\r\n"));
        co_await wire->response();
        co_await wire->say(
            get("/", "traceparent: 00-" + id + "-0000000000000000-01\r\ntracestate: a=1\r\nbaggage: c=d\r\n"));
        co_await wire->response();
        EXPECT_EQ(seen.at(0).trace_id_hex(), id);
        EXPECT_NE(seen.at(0).span_id_hex(), span);
        EXPECT_FALSE(seen.at(0).sampled);
        EXPECT_EQ(seen.at(0).state, "a=1,b=2");
        EXPECT_EQ(seen.at(0).baggage, "c=d");
        EXPECT_TRUE(seen.at(1).valid());
        EXPECT_NE(seen.at(1).trace_id_hex(), id);
        EXPECT_EQ(seen.at(1).state, "");
        EXPECT_EQ(seen.at(1).baggage, "c=d");
    });
}

// Goal: beyond the connection limit callers hear 503 and when to come back.
TEST(ServerLimits, TooManyConnectionsAre503) {
    with_server({.connections_max = 2}, answer, [](Context& context, Server& server, Address address) -> task<void> {
        auto first = co_await Wire::connect(context, address);
        auto second = co_await Wire::connect(context, address);
        co_await turn_until(context, [&] { return server.statistics().connections == 2; });
        auto third = co_await Wire::connect(context, address);
        co_await third->say(get("/"));
        const auto refusal = co_await third->rest();
        EXPECT_TRUE(refusal.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << refusal;
        EXPECT_NE(refusal.find("Retry-After: 1\r\n"), std::string::npos) << refusal;
        EXPECT_NE(refusal.find("Connection: close\r\n"), std::string::npos) << refusal;
        EXPECT_FALSE(third->reset_by_peer());
        first->close();
        co_await turn_until(context, [&] { return server.statistics().connections == 1; });
        auto fourth = co_await Wire::connect(context, address);
        co_await fourth->say(get("/"));
        EXPECT_TRUE((co_await fourth->response()).ends_with("done"));
    });
}

/// Answers once `release` is notified.
Handler waiting_handler(Event& release) {
    return [&release](Context& context, Exchange& exchange) -> task<void> {
        std::ignore = co_await release.wait(context);
        if (!context.cancelled()) co_await answer(context, exchange);
    };
}

// Goal: shutdown closes idle connections, lets the request in flight finish and says that the connection ends.
TEST(ServerShutdown, RequestInFlightIsFinished) {
    Event release;
    with_server({}, waiting_handler(release),
                [&release](Context& context, Server& server, Address address) -> task<void> {
                    auto idle = co_await Wire::connect(context, address);
                    auto busy = co_await Wire::connect(context, address);
                    co_await busy->say(get("/"));
                    co_await turn_until(context, [&] {
                        return server.statistics().active_requests == 1 && server.statistics().connections == 2;
                    });
                    Scope scope(context);
                    scope.spawn(server.shutdown(context, 10s));
                    scope.spawn(server.shutdown(context, 10s)); // twice is safe
                    EXPECT_EQ(co_await idle->rest(), "");
                    EXPECT_EQ(scope.running(), 2u);
                    release.notify();
                    const auto all = co_await busy->rest();
                    EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos) << all;
                    EXPECT_TRUE(all.ends_with("done")) << all;
                    co_await scope.join();
                    EXPECT_EQ(server.statistics().connections, 0u);
                    const auto refused = co_await context.world().connect(context, address);
                    EXPECT_FALSE(refused);
                    EXPECT_FALSE(server.listen(Address::tcp("127.0.0.1", 0)));
                });
}

// Goal: what has not finished when the drain time is over is reset, and the handler is told why.
TEST(ServerShutdown, AfterTheDrainTheRestIsReset) {
    std::optional<Error> reason;
    Handler handler = [&reason](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::unknown()));
        co_await wait_forever(context, exchange);
        reason = context.reason();
    };
    with_server({}, handler, [&reason](Context& context, Server& server, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/"));
        co_await wire->until("\r\n\r\n");
        co_await server.shutdown(context, 20ms);
        EXPECT_EQ(reason ? reason->kind() : Kind::internal, Kind::unavailable);
        EXPECT_EQ(co_await wire->rest(), "");
        EXPECT_TRUE(wire->reset_by_peer());
    });
}

// Goal: a server may listen on several addresses, also while it runs.
TEST(Server, ListenWhileRunningAcceptsThereToo) {
    with_server({}, answer, [](Context& context, Server& server, Address address) -> task<void> {
        const auto second = server.listen(Address::tcp("127.0.0.1", 0));
        EXPECT_TRUE(second);
        for (const auto& each : {address, *second}) {
            auto wire = co_await Wire::connect(context, each);
            co_await wire->say(get("/"));
            EXPECT_TRUE((co_await wire->response()).ends_with("done"));
        }
    });
}

// Goal: when the context of run() ends, everything ends.
TEST(Server, CancelledRunEndsItsConnections) {
    Loop loop;
    Context root(loop.world());
    Context context(root, 20s);
    Server server(loop.world(), wait_forever);
    const auto address = server.listen(Address::tcp("127.0.0.1", 0));
    ASSERT_TRUE(address);
    auto play = [](Context& outer, Server& serving, Address where) -> task<void> {
        Scope scope(outer);
        scope.spawn(serving.run(scope.context()));
        auto wire = co_await Wire::connect(outer, where);
        co_await wire->say(get("/"));
        co_await turn_until(outer, [&] { return serving.statistics().active_requests == 1; });
        scope.cancel(Error(Kind::cancelled, "enough"));
        co_await scope.join();
        EXPECT_EQ(serving.statistics().connections, 0u);
        co_await serving.shutdown(outer, 1s);
    };
    loop.run_until_done(play(context, server, *address));
}

} // namespace
} // namespace flotilla::http::server_limits_test
