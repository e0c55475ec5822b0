#include <flotilla/http/server.hpp>

#include <flotilla/http/problem.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::server_test {
namespace {

using namespace std::chrono_literals;

const std::string kHost = "Host: a\r\n";
std::string get(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\n" + kHost + fields + "\r\n";
}

/// Answers with the method, target and body.
task<void> echo(Context& context, Exchange& exchange) {
    auto body = co_await exchange.read_all(context);
    if (!body) {
        std::ignore = co_await respond_error(context, exchange, body.error());
        co_return;
    }
    ResponseHead head;
    head.headers.add("X-Trailers", std::to_string(exchange.request_trailers().size()));
    const std::string text = exchange.request().method_name + " " + exchange.request().target + " [" + *body + "]";
    EXPECT_TRUE(co_await exchange.respond(context, head, text));
}

/// Sends each piece of the request body back as it comes, chunked.
task<void> stream_back(Context& context, Exchange& exchange) {
    EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::unknown()));
    while (true) {
        const auto piece = co_await exchange.read(context);
        if (!piece || !co_await exchange.write(context, *piece)) co_return;
        if (piece->empty()) break;
    }
    Headers trailers;
    trailers.add("X-End", "yes");
    EXPECT_TRUE(co_await exchange.finish(context, trailers));
}

// Goal: one connection serves request after request.
TEST(Server, KeepAliveServesSeveralRequestsOnOneConnection) {
    with_server({}, echo, [](Context& context, Server& server, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        for (const auto* target : {"/1", "/2?x=y", "/3"}) {
            co_await wire->say(get(target));
            const auto response = co_await wire->response();
            EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
            EXPECT_TRUE(response.ends_with("\r\n\r\nGET " + std::string(target) + " []")) << response;
            EXPECT_NE(response.find("\r\nDate: "), std::string::npos) << response;
            EXPECT_EQ(response.find("Connection:"), std::string::npos) << response;
        }
        EXPECT_EQ(server.statistics().connections, 1u);
        EXPECT_EQ(server.statistics().requests, 3u);
    });
}

// Goal: pipelined requests, bodies included, are answered in order.
TEST(Server, PipeliningAnswersInOrder) {
    with_server({}, echo, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/1") + "POST /2 HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\n\r\nhi" +
                           "POST /3 HTTP/1.1\r\n" + kHost +
                           "Transfer-Encoding: chunked\r\n\r\n2\r\nyo\r\n0\r\nX: y\r\n\r\n" +
                           get("/4", "Connection: close\r\n") + get("/never"));
        EXPECT_TRUE((co_await wire->response()).ends_with("GET /1 []"));
        EXPECT_TRUE((co_await wire->response()).ends_with("POST /2 [hi]"));
        const auto third = co_await wire->response();
        EXPECT_TRUE(third.ends_with("POST /3 [yo]")) << third;
        EXPECT_NE(third.find("X-Trailers: 1"), std::string::npos);
        const auto rest = co_await wire->rest();
        EXPECT_TRUE(rest.ends_with("GET /4 []")) << rest;
        EXPECT_NE(rest.find("Connection: close\r\n"), std::string::npos) << rest;
    });
}

// Goal: bodies stream both ways at once, chunked, with trailers.
TEST(Server, ChunkedBothWaysStreamsPieceByPiece) {
    with_server({}, stream_back, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n");
        const auto head = co_await wire->until("\r\n\r\n");
        EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos) << head;
        co_await wire->say("5\r\nhello\r\n");
        EXPECT_EQ(co_await wire->until("hello\r\n"), "5\r\nhello\r\n");
        co_await wire->say("1\r\n!\r\n0\r\n\r\n");
        EXPECT_EQ(co_await wire->until("\r\n\r\n"), "1\r\n!\r\n0\r\nX-End: yes\r\n\r\n");
        co_await wire->say(get("/"));
        EXPECT_NE((co_await wire->until("0\r\nX-End: yes\r\n\r\n")).find("200 OK"), std::string::npos);
    });
}

// Goal: a head that waits for its body is sent before the server waits for the client.
TEST(Server, HeadOfKnownSizeIsSentBeforeTheServerWaits) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.send(context, {}, exchange.request_body_size()));
        while (true) {
            const auto piece = co_await exchange.read(context);
            if (!piece || piece->empty()) break;
            EXPECT_TRUE(co_await exchange.write(context, *piece));
        }
        EXPECT_TRUE(co_await exchange.finish(context));
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("POST / HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\n");
        EXPECT_NE((co_await wire->until("\r\n\r\n")).find("Content-Length: 5\r\n"), std::string::npos);
        co_await wire->say("hello" + get("/", "Connection: close\r\n"));
        EXPECT_EQ(co_await wire->bytes(5), "hello");
        EXPECT_TRUE((co_await wire->rest()).ends_with("Content-Length: 0\r\nConnection: close\r\n\r\n"));
    });
}

// Goal: a reader that does not read stops the writer, and nothing is lost once it reads.
TEST(Server, SlowReaderStopsTheWriter) {
    static constexpr std::size_t kPiece = 64 * 1024, kTotal = 64 * 1024 * 1024;
    std::size_t written = 0;
    Handler handler = [&written](Context& context, Exchange& exchange) -> task<void> {
        const std::string piece(kPiece, 'x');
        EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::of(kTotal)));
        for (; written < kTotal; written += kPiece)
            EXPECT_TRUE(co_await exchange.write(context, piece));
        EXPECT_TRUE(co_await exchange.finish(context));
    };
    with_server({}, handler, [&written](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/"));
        std::size_t before = 0;
        for (int quiet = 0; quiet < 50; ++quiet) {
            co_await turn(context);
            if (std::exchange(before, written) != written || written == 0) quiet = 0;
        }
        EXPECT_LT(written, kTotal / 2);
        co_await wire->until("\r\n\r\n");
        EXPECT_EQ((co_await wire->bytes(kTotal)).size(), kTotal);
        EXPECT_EQ(written, kTotal);
    });
}

// Goal: a client that waits for permission gets it when the handler reads, and only then.
TEST(Server, ExpectContinueIsAnsweredWhenTheBodyIsRead) {
    with_server({}, echo, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("PUT / HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        EXPECT_EQ(co_await wire->until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        co_await wire->say("h");
        for (int i = 0; i < 20; ++i)
            co_await turn(context); // the handler reads on: no second permission
        co_await wire->say("i");
        const auto answer = co_await wire->response();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
        EXPECT_TRUE(answer.ends_with("PUT / [hi]")) << answer;
    });
}

// Goal: refused without its body, such a client is answered at once and the connection, whose state is unclear, ends.
TEST(Server, ExpectContinueUnreadIsRefusedAtOnce) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        std::ignore = co_await respond_error(context, exchange, Error(Kind::forbidden, "no"));
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("PUT / HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        const auto answer = co_await wire->response();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 Forbidden\r\n")) << answer;
        EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
    });
}

// Goal: HEAD says what GET would and sends no body; the next response is not disturbed.
TEST(Server, HeadSendsTheHeadOnly) {
    with_server({}, echo, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("HEAD /x HTTP/1.1\r\n" + kHost + "\r\n" + get("/y"));
        const auto head = co_await wire->until("\r\n\r\n");
        EXPECT_NE(head.find("Content-Length: 10\r\n"), std::string::npos) << head;
        EXPECT_TRUE((co_await wire->response()).ends_with("GET /y []"));
    });
}

// Goal: statuses without content carry no length; streams to HEAD write nothing.
TEST(Server, BodilessStatusesHaveNoFraming) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        ResponseHead head{.status = exchange.request().target == "/204" ? 204 : 200, .headers = {}};
        EXPECT_TRUE(co_await exchange.send(context, head, BodySize::unknown()));
        EXPECT_TRUE(co_await exchange.write(context, "ignored"));
        EXPECT_TRUE(co_await exchange.finish(context));
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/204") + "HEAD / HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n");
        const auto all = co_await wire->rest();
        EXPECT_TRUE(all.starts_with("HTTP/1.1 204 No Content\r\n")) << all;
        EXPECT_EQ(all.find("Content-Length"), std::string::npos) << all;
        EXPECT_EQ(all.find("chunked"), std::string::npos) << all;
        EXPECT_EQ(all.find("ignored"), std::string::npos) << all;
    });
}

// Goal: HTTP/1.0 clients get no chunks: a stream ends with the connection, and keep-alive is said.
TEST(Server, Http10GetsNoChunks) {
    with_server({}, stream_back, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi");
        const auto all = co_await wire->rest();
        EXPECT_EQ(all.find("chunked"), std::string::npos) << all;
        EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos) << all;
        EXPECT_TRUE(all.ends_with("\r\n\r\nhi")) << all;
    });
    with_server({}, echo, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        EXPECT_NE((co_await wire->response()).find("Connection: keep-alive\r\n"), std::string::npos);
        co_await wire->say("GET /b HTTP/1.0\r\n\r\n");
        EXPECT_TRUE((co_await wire->rest()).ends_with("GET /b []"));
    });
}

// Goal: past each limit stands its status, as a problem document, and the connection ends.
TEST(Server, PastALimitTheAnswerNamesIt) {
    const ServerOptions options{
        .request_line_bytes_max = 64, .header_bytes_max = 128, .header_count_max = 4, .body_bytes_max = 10};
    const std::vector<std::pair<std::string, std::string>> cases{
        {"GET /" + std::string(100, 'x') + " HTTP/1.1\r\n", "414 URI Too Long"},
        {get("/", "X: " + std::string(200, 'y') + "\r\n"), "431 Request Header Fields Too Large"},
        {get("/", "A:\r\nB:\r\nC:\r\nD:\r\n"), "431 Request Header Fields Too Large"},
        {"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 11\r\n\r\nhello world", "413 Content Too Large"},
        {"POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n",
         "413 Content Too Large"},
        {"POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 Not Implemented"},
        {"POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\nx\r\n", "400 Bad Request"},
        {"GET / HTTP/3.0\r\n\r\n", "505 HTTP Version Not Supported"},
        {get("/", "Expect: tea\r\n"), "417 Expectation Failed"},
        {"nonsense\r\n\r\n", "400 Bad Request"},
    };
    with_server(options, echo, [&cases](Context& context, Server& server, Address address) -> task<void> {
        for (const auto& [request, status] : cases) {
            auto wire = co_await Wire::connect(context, address);
            co_await wire->say(request);
            const auto answer = co_await wire->response();
            EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status + "\r\n")) << request << "\n" << answer;
            EXPECT_NE(answer.find("Content-Type: application/problem+json\r\n"), std::string::npos) << answer;
            EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
            EXPECT_EQ(co_await wire->rest(), "");
        }
        EXPECT_EQ(server.statistics().protocol_errors, cases.size());
    });
}

// Goal: what the handler leaves of a small body is skipped; a large one ends the connection.
TEST(Server, UnreadBodyIsDrainedOrEndsTheConnection) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.respond(context, {}, exchange.request().target));
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("POST /small HTTP/1.1\r\n" + kHost + "Content-Length: 60000\r\n\r\n" +
                           std::string(60'000, 'x'));
        EXPECT_TRUE((co_await wire->response()).ends_with("/small"));
        co_await wire->say("POST /chunked HTTP/1.1\r\n" + kHost +
                           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        EXPECT_TRUE((co_await wire->response()).ends_with("/chunked"));
        co_await wire->say("POST /large HTTP/1.1\r\n" + kHost + "Content-Length: 70000\r\n\r\n" +
                           std::string(70'000, 'x'));
        const auto last = co_await wire->rest();
        EXPECT_TRUE(last.ends_with("/large")) << last;
        EXPECT_FALSE(wire->reset_by_peer()) << "the reset may overtake the answer";
        EXPECT_NE(last.find("Connection: close\r\n"), std::string::npos) << last;
    });
}

// Goal: a handler that fails to answer is answered for, without its secrets; a half answer is visibly broken.
TEST(Server, HandlerWithoutAnAnswerIs500) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        const auto& target = exchange.request().target;
        if (target == "/throws") throw std::runtime_error("secret");
        if (target == "/half") {
            EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::of(10)));
            EXPECT_TRUE(co_await exchange.write(context, "12345"));
        }
        if (target == "/half-chunked") {
            EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::unknown()));
            EXPECT_TRUE(co_await exchange.write(context, "12345"));
        }
        if (target == "/long") {
            EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::of(2)));
            EXPECT_FALSE(co_await exchange.write(context, "12345"));
        }
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/nothing"));
        EXPECT_TRUE((co_await wire->response()).starts_with("HTTP/1.1 500 "));
        co_await wire->say(get("/throws"));
        const auto answer = co_await wire->response();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
        EXPECT_EQ(answer.find("secret"), std::string::npos) << answer;
        for (const auto* target : {"/half", "/half-chunked", "/long"}) {
            auto broken = co_await Wire::connect(context, address);
            co_await broken->say(get(target));
            const auto text = co_await broken->rest();
            EXPECT_FALSE(text.ends_with("0\r\n\r\n")) << text;
            EXPECT_TRUE(broken->reset_by_peer()) << target;
        }
    });
}

// Goal: reset() leaves a broken message even where a clean end would look complete (HTTP/1.0).
TEST(Server, ResetIsVisibleToAnHttp10Client) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::unknown()));
        EXPECT_TRUE(co_await exchange.write(context, "part"));
        exchange.reset();
        EXPECT_FALSE(co_await exchange.write(context, "more"));
        EXPECT_FALSE(co_await exchange.finish(context));
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("GET / HTTP/1.0\r\n\r\n");
        co_await wire->rest();
        EXPECT_TRUE(wire->reset_by_peer());
    });
}

// Goal: an upgrade hands over the connection, with what was already received in front.
TEST(Server, UpgradeEchoesBytesReceivedEarly) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        ResponseHead head{.status = 101, .headers = {}};
        head.headers.add("Upgrade", "echo");
        auto stream = co_await exchange.upgrade(context, head);
        if (!stream) throw std::runtime_error(stream.error().message());
        std::array<char, 3> block;
        while (true) {
            const auto count = co_await (*stream)->read(context, block);
            if (!count || *count == 0) break;
            EXPECT_TRUE(co_await (*stream)->write(context, std::string_view(block.data(), *count)));
        }
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(get("/", "Connection: Upgrade\r\nUpgrade: echo\r\n") + "early");
        EXPECT_EQ(co_await wire->until("\r\n\r\n"),
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
        EXPECT_EQ(co_await wire->bytes(5), "early");
        co_await wire->say("late");
        EXPECT_EQ(co_await wire->bytes(4), "late");
        wire->stream().shutdown_write();
        EXPECT_EQ(co_await wire->rest(), "");
    });
}

// Goal: everything works the same over a Unix socket.
TEST(Server, UnixSocketServes) {
    const auto path = temporary_socket_path();
    with_server(
        {}, echo,
        [](Context& context, Server&, Address address) -> task<void> {
            auto wire = co_await Wire::connect(context, address);
            co_await wire->say(get("/over/unix"));
            EXPECT_TRUE((co_await wire->response()).ends_with("GET /over/unix []"));
        },
        Address::unix_socket(path));
    EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the socket file stays behind";
}

} // namespace
} // namespace flotilla::http::server_test
