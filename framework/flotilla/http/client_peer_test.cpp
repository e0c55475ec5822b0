// The client against servers that misbehave, played by hand.
#include <flotilla/http/client.hpp>

#include <algorithm>
#include <random>
#include <set>

#include <flotilla/http/client_connection.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::client_peer_test {
namespace {

using namespace std::chrono_literals;

Request request(Method method, std::string body = {}) {
    Request made;
    made.head.method = method;
    made.head.method_name = name(method);
    made.body = std::move(body);
    return made;
}

/// What the peer does with each connection in turn: what it says to each request, then it closes. "(silence)" says
/// nothing, "(leave)" closes without waiting for a request.
using Script = std::vector<std::vector<std::string>>;

struct Peer {
    std::size_t connections = 0;
    std::size_t requests = 0;
    std::vector<TraceContext> traces = {}; // of the requests

    task<void> serve(Context& context, Listener& listener, Script script) {
        for (const auto& connection : script) {
            auto stream = co_await listener.accept(context);
            if (!stream) co_return;
            ++connections;
            Wire wire(context, std::move(*stream));
            for (const auto& answer : connection) {
                if (answer == "(leave)") break;
                const auto head = co_await wire.until("\r\n\r\n");
                if (head.empty()) break;
                ++requests;
                traces.push_back(TraceContext::parse(head.substr(head.find("traceparent: ") + 13, 55)));
                if (answer == "(silence)") break;
                co_await wire.say(answer);
            }
        }
    }
};

using Against = std::function<task<void>(Context&, Client&, Address, Peer&)>;

task<void> play(Context& context, Listener& listener, Script script, ClientOptions options, const Against& against) {
    Client client(context.world(), options);
    Peer peer;
    Scope scope(context);
    scope.spawn(peer.serve(scope.context(), listener, std::move(script)));
    co_await against(context, client, listener.local(), peer);
    scope.cancel(Error(Kind::cancelled, "enough"));
    co_await scope.join();
}

void with_peer(Script script, Against against, ClientOptions options = {}) {
    Loop loop;
    Context root(loop.world());
    Context context(root, 20s);
    auto listener = loop.world().listen(Address::tcp("127.0.0.1", 0));
    ASSERT_TRUE(listener);
    loop.run_until_done(play(context, **listener, std::move(script), options, against));
}

std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// The body, or the error's kind.
task<std::string> outcome(Context& context, Client& client, Address address, Request what) {
    const auto response = co_await client.fetch(context, std::move(address), std::move(what));
    co_return response ? response->body : std::string(name(response.error().kind()));
}

// Goal: a pooled connection that the server has closed is noticed before it is used, whatever the method.
TEST(HttpClientPool, ClosedConnectionIsNotUsedAgain) {
    with_peer({{ok("a")}, {ok("b")}}, [](Context& context, Client& client, Address address, Peer& peer) -> task<void> {
        EXPECT_EQ(co_await outcome(context, client, address, request(Method::post)), "a");
        co_await turn_until(context, [&] { return client.idle_connections() == 1; });
        for (int i = 0; i < 20; ++i)
            co_await turn(context); // the peer's FIN arrives
        EXPECT_EQ(co_await outcome(context, client, address, request(Method::post)), "b");
        EXPECT_EQ(peer.connections, 2u);
    });
}

// Goal: a server that closes as the request arrives looks stale; an idempotent request goes out once more.
TEST(HttpClientPool, StaleConnectionIdempotentRequestIsSentAgain) {
    with_peer({{ok("a"), "(silence)"}, {ok("b")}},
              [](Context& context, Client& client, Address address, Peer& peer) -> task<void> {
                  EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "a");
                  EXPECT_EQ(co_await outcome(context, client, address, request(Method::put)), "b");
                  EXPECT_EQ(peer.connections, 2u);
                  EXPECT_EQ(peer.requests, 3u);
                  // Each try is a span of its own.
                  std::set<SpanId> spans{context.trace.span_id};
                  for (const auto& trace : peer.traces) {
                      EXPECT_EQ(trace.trace_id, context.trace.trace_id);
                      spans.insert(trace.span_id);
                  }
                  EXPECT_EQ(spans.size(), 4u);
              });
}

// Goal: a request that may have been acted upon is not repeated behind the caller's back.
TEST(HttpClientPool, StaleConnectionOtherRequestIsNotSentAgain) {
    with_peer({{ok("a"), "(silence)"}, {ok("b")}},
              [](Context& context, Client& client, Address address, Peer& peer) -> task<void> {
                  EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "a");
                  EXPECT_EQ(co_await outcome(context, client, address, request(Method::post)), "bad_gateway");
                  EXPECT_EQ(peer.connections, 1u);
              });
}

// Goal: the second try is the last, and a fresh connection gets none.
TEST(HttpClientPool, StaleConnectionIsRetriedOnlyOnce) {
    with_peer({{ok("a"), "(silence)"}, {"(silence)"}, {ok("never")}},
              [](Context& context, Client& client, Address address, Peer& peer) -> task<void> {
                  EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "a");
                  EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "bad_gateway");
                  EXPECT_EQ(peer.connections, 2u);
              });
}

// Goal: connections are reused only after a message that ended cleanly on a connection that stays.
TEST(HttpClientPool, ConnectionFitForNoOtherRequestIsClosed) {
    const std::vector<std::string> answers{
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\n\r\na",
        ok("a") + "and more",
    };
    for (const auto& answer : answers) {
        with_peer({{answer}}, [](Context& context, Client& client, Address address, Peer&) -> task<void> {
            EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "a");
            EXPECT_EQ(client.idle_connections(), 0u);
        });
    }
}

// Goal: what follows a response that may have no body and announces one may be that body: nobody else gets it.
TEST(HttpClientPool, BodilessResponseThatAnnouncesABodyEndsItsConnection) {
    const std::vector<std::pair<std::string, bool>> answers{
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false},
        {"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + ok(""), false},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", true},
        {"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", true},
    };
    for (const auto& [answer, kept] : answers) {
        with_peer({{answer}}, [&](Context& context, Client& client, Address address, Peer&) -> task<void> {
            EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "");
            EXPECT_EQ(client.idle_connections(), kept ? 1u : 0u) << answer;
        });
    }
}

/// Answers each request with its target, and can say something else at any time.
class Babbler {
public:
    static constexpr std::string_view kStray = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";

    task<void> serve(Context& context, Listener& listener) {
        while (true) {
            auto accepted = co_await listener.accept(context);
            if (!accepted) co_return;
            stream_ = std::move(*accepted);
            co_await answer_all(context, *stream_);
            kept_ = false;
        }
    }
    /// Says it on a kept connection if no byte of a request has arrived: then it was said before the request was.
    void babble() {
        if (!kept_ || !stream_->is_quiet_now()) return;
        strays += stream_->write_now(kStray) > 0 ? 1 : 0;
    }
    int strays = 0;

private:
    task<void> answer_all(Context& context, Stream& stream) {
        std::string received;
        std::array<char, 4096> block;
        while (true) {
            const auto count = co_await stream.read(context, block);
            if (!count || *count == 0) co_return;
            kept_ = false;
            received.append(block.data(), *count);
            if (!received.contains("\r\n\r\n")) continue;
            const auto target = received.substr(received.find('/'), received.find(" HTTP/") - received.find('/'));
            received.clear();
            const auto answer = ok(target);
            if (!co_await stream.write(context, answer)) co_return;
            kept_ = true;
        }
    }
    std::unique_ptr<Stream> stream_;
    bool kept_ = false; // it has answered and was not asked again
};

/// 1,000 requests, before most of which the server says something: turns before, right before, or, said in the turn
/// that takes the connection from the pool, right before the request's first byte leaves.
task<void> ask_a_babbler(Context& context, Client& client, Address address, Babbler& babbler) {
    std::mt19937 random(17);
    for (int i = 0; i < 1000; ++i) {
        const auto when = random() % 5;
        if (when == 1) babbler.babble();
        for (auto turns = random() % 3; turns > 0; --turns)
            co_await turn(context);
        if (when == 2) babbler.babble();
        if (when >= 3) context.world().post([&babbler] { babbler.babble(); });
        auto asked = request(random() % 2 == 0 ? Method::get : Method::post);
        asked.head.target = "/" + std::to_string(i);
        const auto response = co_await client.fetch(context, address, asked);
        EXPECT_TRUE(response) << response.error().message();
        if (response) EXPECT_EQ(response->body, asked.head.target);
    }
}

// Goal: what a server says before a request leaves is no answer to it, whenever it comes; the request goes over another
// connection, also one that must not be sent twice.
TEST(HttpClientPool, NothingSaidBeforeTheRequestReachesItsCaller) {
    Loop loop;
    Context root(loop.world());
    Context context(root, 20s);
    auto listener = loop.world().listen(Address::tcp("127.0.0.1", 0)).value();
    Babbler babbler;
    loop.run_until_done([](Context& within, Listener& at, Babbler& server) -> task<void> {
        Client client(within.world());
        Scope scope(within);
        scope.spawn(server.serve(scope.context(), at));
        co_await ask_a_babbler(within, client, at.local(), server);
        scope.cancel(Error(Kind::cancelled, "enough"));
        co_await scope.join();
    }(context, *listener, babbler));
    EXPECT_GE(babbler.strays, 480);
}

/// A connection on which every request is answered before it can have arrived, from the second one on.
class Clairvoyant final : public Stream {
public:
    void shutdown_write() override {}
    void close() override { open_ = false; }
    bool is_open() const override { return open_; }
    bool is_quiet() const override { return true; }
    void guard_next_write() override { reached_ = false; }
    bool has_reached_peer() const override { return reached_; }
    PeerState peer_state() const override { return PeerState::present; }
    const Address& peer() const override { return peer_; }

protected:
    void start_read(std::span<char> buffer, IoOperation& operation) override {
        const auto answer = ok("early");
        std::ranges::copy(answer, buffer.begin());
        operation.complete(std::nullopt, answer.size());
    }
    void start_write(std::span<const std::string_view>, IoOperation& operation) override {
        operation.complete(std::nullopt, 1);
    }
    void abort_operations() override {}

private:
    bool open_ = true;
    bool reached_ = true;
    Address peer_ = Address::tcp("127.0.0.1", 1);
};

// Goal: an answer that was under way before the request was is none to it, though the request has been sent.
TEST(HttpClientPool, AnswerThatCrossesTheRequestIsNoAnswerToIt) {
    Loop loop;
    Context context(loop.world());
    const ClientOptions options;
    loop.run_until_done([](Context& within, const ClientOptions& with) -> task<void> {
        ClientConnection connection(std::make_unique<Clairvoyant>(), with);
        const auto head = request(Method::get).head;
        const auto address = Address::tcp("127.0.0.1", 1);
        connection.start(false);
        EXPECT_TRUE(co_await connection.send_whole(within, head, address, {}));
        EXPECT_TRUE(co_await connection.receive(within)) << "who talks first on a new connection talks to us";
        EXPECT_EQ((co_await connection.read(within)).value(), "early");
        EXPECT_TRUE(connection.reusable());
        connection.start(true);
        EXPECT_TRUE(co_await connection.send_whole(within, head, address, {}));
        const auto refused = co_await connection.receive(within);
        EXPECT_FALSE(refused);
        if (!refused) EXPECT_EQ(refused.error().code(), "unsolicited_response");
        EXPECT_TRUE(connection.may_be_stale()) << "an idempotent request is sent again";
        EXPECT_FALSE(connection.reusable());
    }(context, options));
}

// Goal: interim responses are skipped, also before the final one in the same bytes.
TEST(HttpClientResponse, InterimResponsesAreSkipped) {
    with_peer({{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("a")}},
              [](Context& context, Client& client, Address address, Peer&) -> task<void> {
                  EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "a");
                  EXPECT_EQ(client.idle_connections(), 1u);
              });
}

// Goal: what is no whole, valid response is bad_gateway, never a shortened success.
TEST(HttpClientResponse, BadResponseIsBadGateway) {
    std::string endless;
    for (int i = 0; i < 40; ++i)
        endless += "HTTP/1.1 100 Continue\r\n\r\n";
    const std::vector<std::string> answers{
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "<html>\n",
        endless,
        "(silence)",
    };
    for (const auto& answer : answers) {
        with_peer({{answer}}, [&answer](Context& context, Client& client, Address address, Peer&) -> task<void> {
            EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "bad_gateway") << answer;
            EXPECT_EQ(client.idle_connections(), 0u);
        });
    }
}

// Goal: each fault has its code, and the error says what was wrong and where.
TEST(HttpClientResponse, FaultIsNamed) {
    struct Fault {
        std::string answer, code, words;
    };
    std::string many;
    for (int i = 0; i < 1001; ++i)
        many += "X-" + std::to_string(i) + ": 1\r\n";
    const std::vector<Fault> faults{
        {"220 mail.example ESMTP\r\n", "bad_response", "does not begin with an HTTP/1.1 status line, at '220 mail"},
        {"HTTP/1.1 200 OK\nA: b\n\n", "bad_response", "a line ends with LF alone"},
        {"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n", "bad_response", "no colon follows it, at 'X A'"},
        {"HTTP/1.1 200 OK\r\n" + many + "\r\n", "response_head_too_large", "too many header fields (more than 1000)"},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n", "response_head_too_large",
         "too large (more than 32768 bytes), at 'X'"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", "bad_response", "a chunk is malformed"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n", "bad_response", "at 'X'"},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "bad_response", "switches to a protocol nobody asked for"},
        {"HTTP/1.1 200 OK\r\nContent-Le", "response_cut", "in the middle of the response"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "response_cut", "in the middle of the response"},
        {"(silence)", "no_response", "before a response began: the server closed it"},
    };
    for (const auto& fault : faults) {
        with_peer({{fault.answer}}, [&](Context& context, Client& client, Address address, Peer&) -> task<void> {
            const auto response = co_await client.fetch(context, address, request(Method::get));
            EXPECT_FALSE(response) << fault.answer;
            if (response) co_return;
            EXPECT_EQ(response.error().code(), fault.code) << fault.answer;
            EXPECT_TRUE(response.error().message().contains(fault.words)) << response.error().message();
            EXPECT_NE(std::ranges::find(kServerFailures, response.error().code()), kServerFailures.end());
        });
    }
}

// Goal: what RFC 9112 has a proxy put right is no fault, and so many fields as servers send are none either.
TEST(HttpClientResponse, WhatAProxyPutsRightIsTaken) {
    std::string many;
    for (int i = 0; i < 120; ++i)
        many += "X-" + std::to_string(i) + ": 1\r\n";
    for (const auto& head : {std::string("HTTP/1.1 200\r\nContent-Length: 1\r\n"),
                             std::string("HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length : 1\r\n"),
                             std::string("HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 1\r\n"),
                             "HTTP/1.1 200 OK\r\n" + many + "Content-Length: 1\r\n"}) {
        with_peer({{head + "\r\na"}}, [&](Context& context, Client& client, Address address, Peer&) -> task<void> {
            EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "a") << head;
            EXPECT_EQ(client.idle_connections(), 1u);
        });
    }
}

// Goal: HEAD's length announces a body that does not come.
TEST(HttpClientResponse, HeadHasALengthAndNoBody) {
    with_peer({{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}},
              [](Context& context, Client& client, Address address, Peer&) -> task<void> {
                  {
                      auto exchange = co_await client.open(context, address);
                      const auto asked = request(Method::head).head;
                      EXPECT_TRUE(co_await (*exchange)->send_whole(context, asked, {}));
                      EXPECT_TRUE(co_await (*exchange)->receive(context));
                      EXPECT_EQ((*exchange)->response_body_size().bytes, 5u);
                      EXPECT_EQ((co_await (*exchange)->read(context)).value(), "");
                  }
                  EXPECT_EQ(client.idle_connections(), 1u);
              });
}

// Goal: a response larger than the caller can hold is refused, announced or not.
TEST(HttpClientResponse, TooLargeIsRefused) {
    for (const auto* head : {"Content-Length: 11\r\n", ""}) {
        const auto answer = "HTTP/1.1 200 OK\r\n" + std::string(head) + "\r\nhello world";
        with_peer({{answer}},
                  [](Context& context, Client& client, Address address, Peer&) -> task<void> {
                      EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "too_large");
                  },
                  {.response_bytes_max = 10});
    }
}

// Goal: a peer that does not even take the connection costs the connect timeout, not the caller's whole deadline.
TEST(HttpClientPool, ConnectTimeoutIsUnavailable) {
    Loop loop;
    Context root(loop.world());
    Context context(root, 20s);
    auto listener = loop.world().listen(Address::tcp("127.0.0.1", 0), {.backlog = 1}); // and nobody accepts
    ASSERT_TRUE(listener);
    struct Calls {
        static task<void> run(Context& context, Address address) {
            std::vector<std::unique_ptr<Stream>> waiting;
            while (true) { // until the queue is full
                Context patience(context, 30ms);
                auto stream = co_await context.world().connect(patience, address);
                if (!stream) break;
                waiting.push_back(std::move(*stream));
            }
            Client client(context.world(), {.connect_timeout = 30ms});
            EXPECT_EQ(co_await outcome(context, client, address, request(Method::get)), "unavailable");
            EXPECT_FALSE(context.cancelled());
        }
    };
    loop.run_until_done(Calls::run(context, (*listener)->local()));
}

// Goal: the answer of a server that refuses a large upload half way is heard.
TEST(HttpClientResponse, EarlyAnswerToAnUploadIsHeard) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        ResponseHead head{.status = 403, .headers = {}};
        EXPECT_TRUE(co_await exchange.respond(context, head, "no"));
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        const auto response = co_await client.fetch(context, address, request(Method::put, std::string(400'000, 'x')));
        EXPECT_TRUE(response) << response.error().message();
        if (response) EXPECT_EQ(response->status(), 403);
    });
}

} // namespace
} // namespace flotilla::http::client_peer_test
