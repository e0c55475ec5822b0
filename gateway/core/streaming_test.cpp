// Bodies through the gateway: streamed both ways, with back-pressure, whatever comes first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::streaming_test {
namespace {

constexpr const char* kRoutes = R"(
routes:
  - match: {path: "/{rest...}"}
    to: user-service
limits: {body_bytes_max: 1073741824}
)";

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kPieces = 1024; // 64 MiB: more than all socket buffers on the way hold

std::string piece_number(std::size_t index) { return std::string(kPiece, static_cast<char>('a' + index % 26)); }

/// Counts a body and notices when a byte is not the one expected.
struct Checker {
    std::uint64_t bytes = 0;
    bool intact = true;
    void add(std::string_view piece) {
        for (const char c : piece)
            intact = intact && c == static_cast<char>('a' + bytes++ / kPiece % 26);
    }
};

http::RequestHead head_of(Method method) {
    http::RequestHead head;
    head.method = method;
    head.method_name = name(method);
    head.target = "/upload";
    head.authority = "shop.example";
    return head;
}

struct Sent {
    std::size_t pieces = 0;
    bool done = false;
    bool failed = false;
};

task<void> send_pieces(Context& context, http::ClientExchange& exchange, Sent& sent) {
    for (; sent.pieces < kPieces; ++sent.pieces) {
        const auto piece = piece_number(sent.pieces);
        if (auto written = co_await exchange.write(context, piece); !written) {
            sent.failed = true;
            co_return;
        }
    }
    http::Headers trailers;
    trailers.add("x-checksum", "42");
    sent.failed = !co_await exchange.finish(context, trailers);
    sent.done = true;
}

task<void> read_checked(Context& context, http::ClientExchange& exchange, Checker& checker, Error& error) {
    while (true) {
        auto piece = co_await exchange.read(context);
        if (!piece) error = std::move(piece.error());
        if (!piece || piece->empty()) co_return;
        checker.add(*piece);
    }
}

struct Reading {
    Event go;
    Checker checker;
    std::string trailer;
};

/// Uploads to a backend that reads nothing until it is told to. Returns what the client had sent by then.
task<std::size_t> upload_to_slow_reader(TestFleet& fleet, Reading& reading, http::BodySize size, int& status) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    EXPECT_TRUE(co_await exchange->send(context, head_of(Method::put), size));
    Sent sent;
    Scope scope(context);
    scope.spawn(send_pieces(scope.context(), *exchange, sent));
    co_await fleet.settle();
    EXPECT_FALSE(sent.done);
    const auto before = sent.pieces;
    reading.go.notify();
    auto head = co_await exchange->receive(context);
    status = head ? (*head)->status : 0;
    co_await scope.join();
    EXPECT_TRUE(sent.done && !sent.failed);
    co_return before;
}

http::Handler slow_reader(Reading& reading) {
    return [&reading](Context& context, http::Exchange& exchange) -> task<void> {
        std::ignore = co_await reading.go.wait(context);
        while (true) {
            auto piece = co_await exchange.read(context);
            if (!piece || piece->empty()) break;
            reading.checker.add(*piece);
        }
        reading.trailer = exchange.request_trailers().get("x-checksum").value_or("");
        std::ignore = co_await exchange.respond(context, {.status = 201, .headers = {}}, "");
    };
}

http::ServerOptions large_bodies() { return {.body_bytes_max = std::uint64_t{1} << 30}; }

// Goal: a service that reads slowly slows the client down instead of filling the gateway; nothing is lost.
TEST(GatewayStreaming, UploadOfKnownSizeHasBackPressure) {
    Reading reading;
    TestFleet fleet;
    fleet.serve("user-service", slow_reader(reading), large_bodies());
    fleet.start(kRoutes);
    int status = 0;
    const auto before = fleet.run(upload_to_slow_reader(fleet, reading, http::BodySize::of(kPiece * kPieces), status));
    EXPECT_LT(before, kPieces);
    EXPECT_EQ(status, 201);
    EXPECT_EQ(reading.checker.bytes, kPiece * kPieces);
    EXPECT_TRUE(reading.checker.intact);
}

// Goal: the same for a chunked upload, whose trailers arrive too.
TEST(GatewayStreaming, ChunkedUploadHasBackPressureAndTrailers) {
    Reading reading;
    TestFleet fleet;
    fleet.serve("user-service", slow_reader(reading), large_bodies());
    fleet.start(kRoutes);
    int status = 0;
    const auto before = fleet.run(upload_to_slow_reader(fleet, reading, http::BodySize::unknown(), status));
    EXPECT_LT(before, kPieces);
    EXPECT_EQ(status, 201);
    EXPECT_EQ(reading.checker.bytes, kPiece * kPieces);
    EXPECT_TRUE(reading.checker.intact);
    EXPECT_EQ(reading.trailer, "42");
}

http::Handler piece_source(Sent& sent, bool chunked) {
    return [&sent, chunked](Context& context, http::Exchange& exchange) -> task<void> {
        http::ResponseHead head;
        const auto size = chunked ? http::BodySize::unknown() : http::BodySize::of(kPiece * kPieces);
        std::ignore = co_await exchange.send(context, head, size);
        for (; sent.pieces < kPieces; ++sent.pieces) {
            const auto piece = piece_number(sent.pieces);
            if (auto written = co_await exchange.write(context, piece); !written) {
                sent.failed = true;
                co_return;
            }
        }
        http::Headers trailers;
        trailers.add("x-checksum", "42");
        std::ignore = co_await exchange.finish(context, trailers);
        sent.done = true;
    };
}

/// Reads an answer only after everything has come to a halt.
task<void> download_late(TestFleet& fleet, Sent& sent, Checker& checker, std::string& trailer) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    EXPECT_TRUE(co_await exchange->send_whole(context, head_of(Method::get), {}));
    EXPECT_TRUE(co_await exchange->receive(context));
    co_await fleet.settle();
    EXPECT_FALSE(sent.done);
    EXPECT_LT(sent.pieces, kPieces);
    Error error(Kind::internal, "");
    co_await read_checked(context, *exchange, checker, error);
    EXPECT_EQ(error.message(), "");
    trailer = exchange->response_trailers().get("x-checksum").value_or("");
}

// Goal: a client that reads slowly slows the service down instead of filling the gateway; nothing is lost.
TEST(GatewayStreaming, DownloadHasBackPressure) {
    for (const bool chunked : {false, true}) {
        Sent sent;
        TestFleet fleet;
        fleet.serve("user-service", piece_source(sent, chunked));
        fleet.start(kRoutes);
        Checker checker;
        std::string trailer;
        fleet.run(download_late(fleet, sent, checker, trailer));
        EXPECT_EQ(checker.bytes, kPiece * kPieces);
        EXPECT_TRUE(checker.intact);
        EXPECT_EQ(trailer, chunked ? "42" : "");
    }
}

/// Sends one piece, waits for its echo, sends the next.
task<int> converse(TestFleet& fleet) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    EXPECT_TRUE(co_await exchange->send(context, head_of(Method::post), http::BodySize::unknown()));
    int echoed = 0;
    for (const std::string_view word : {"one", "two", "three"}) {
        EXPECT_TRUE(co_await exchange->write(context, word)); // the first is what the gateway waits for
        if (echoed == 0) EXPECT_TRUE(co_await exchange->receive(context));
        const auto back = co_await exchange->read(context);
        echoed += back && *back == word ? 1 : 0;
    }
    EXPECT_TRUE(co_await exchange->finish(context));
    const auto end = co_await exchange->read(context);
    EXPECT_TRUE(end && end->empty());
    co_return echoed;
}

// Goal: request and response stream at the same time, so that both sides can take turns.
TEST(GatewayStreaming, RequestAndResponseInterleave) {
    TestFleet fleet;
    fleet.serve("user-service", [](Context& context, http::Exchange& exchange) -> task<void> {
        std::ignore = co_await exchange.send(context, {}, http::BodySize::unknown());
        while (true) {
            auto piece = co_await exchange.read(context);
            if (!piece || piece->empty()) break;
            const std::string copy(*piece);
            std::ignore = co_await exchange.write(context, copy);
        }
        std::ignore = co_await exchange.finish(context);
    });
    fleet.start(kRoutes);
    EXPECT_EQ(fleet.run(converse(fleet)), 3);
}

task<void> send_and_receive_all(TestFleet& fleet, http::BodySize size, Checker& checker) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    EXPECT_TRUE(co_await exchange->send(context, head_of(Method::post), size));
    Sent sent;
    Scope scope(context);
    scope.spawn(send_pieces(scope.context(), *exchange, sent));
    EXPECT_TRUE(co_await exchange->receive(context));
    co_await fleet.settle(500); // every buffer on the way is full now
    Error error(Kind::internal, "");
    co_await read_checked(context, *exchange, checker, error);
    co_await scope.join();
    EXPECT_EQ(error.message(), "");
    EXPECT_TRUE(sent.done && !sent.failed);
}

// Goal: with both directions full and blocked at once, no byte is lost, repeated or reordered.
TEST(GatewayStreaming, BothDirectionsUnderPressureStayIntact) {
    for (const auto size : {http::BodySize::of(kPiece * kPieces), http::BodySize::unknown()}) {
        TestFleet fleet;
        fleet.serve(
            "user-service",
            [size](Context& context, http::Exchange& exchange) -> task<void> {
                std::ignore = co_await exchange.send(context, {}, size);
                while (true) {
                    auto piece = co_await exchange.read(context);
                    if (!piece || piece->empty()) break;
                    const std::string copy(*piece);
                    std::ignore = co_await exchange.write(context, copy);
                }
                std::ignore = co_await exchange.finish(context);
            },
            large_bodies());
        fleet.start(kRoutes);
        Checker checker;
        fleet.run(send_and_receive_all(fleet, size, checker));
        EXPECT_EQ(checker.bytes, kPiece * kPieces);
        EXPECT_TRUE(checker.intact);
    }
}

task<int> upload_and_listen(TestFleet& fleet, http::BodySize size, std::string& body) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    EXPECT_TRUE(co_await exchange->send(context, head_of(Method::post), size));
    Sent sent;
    Scope scope(context);
    scope.spawn(send_pieces(scope.context(), *exchange, sent));
    auto head = co_await exchange->receive(context);
    const int status = head ? (*head)->status : 0;
    while (head) {
        auto piece = co_await exchange->read(context);
        if (!piece || piece->empty()) break;
        body += *piece;
    }
    scope.cancel(Error(Kind::cancelled, "answered"));
    co_await scope.join();
    EXPECT_FALSE(sent.done && !sent.failed);
    co_return status;
}

// Goal: an answer given before the upload is over reaches the client, who is not made to send the rest.
TEST(GatewayStreaming, EarlyAnswerEndsTheUpload) {
    for (const auto size : {http::BodySize::of(kPiece * kPieces), http::BodySize::unknown()}) {
        TestFleet fleet;
        fleet.serve(
            "user-service",
            [](Context& context, http::Exchange& exchange) -> task<void> {
                auto first = co_await exchange.read(context);
                EXPECT_TRUE(first.has_value());
                std::ignore = co_await exchange.respond(context, {.status = 413, .headers = {}}, "too much");
            },
            large_bodies());
        fleet.start(kRoutes);
        std::string body;
        EXPECT_EQ(fleet.run(upload_and_listen(fleet, size, body)), 413);
        EXPECT_EQ(body, "too much");
    }
}

/// Announces a body and sends `sent` of it; says what the gateway does meanwhile.
task<http::Client::Load> announce_upload(TestFleet& fleet, http::BodySize size, std::string sent) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto stream = (co_await fleet.world().connect(context, fleet.address())).value();
    const std::string head =
        "POST /upload HTTP/1.1\r\nHost: x\r\n" +
        (size.framing == http::BodySize::Framing::known ? "Content-Length: " + std::to_string(size.bytes)
                                                        : std::string("Transfer-Encoding: chunked")) +
        "\r\n\r\n" + sent;
    EXPECT_TRUE(co_await stream->write(context, std::string_view(head)));
    co_await fleet.settle();
    co_return fleet.upstream_load("user-service");
}

// Goal: who announces a body and sends nothing of it holds no connection that others need.
TEST(GatewayStreaming, UploadWithoutBytesTakesNoUpstreamConnection) {
    int requests = 0;
    TestFleet fleet;
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        ++requests;
        std::ignore = co_await exchange.read_all(context);
        std::ignore = co_await exchange.respond(context, {.status = 201, .headers = {}}, "");
    });
    fleet.start(kRoutes);
    const auto one_piece_less = std::string(kBufferedBytesMax - 1, 'x');
    for (const auto& [size, sent] :
         {std::pair{http::BodySize::of(70'000), std::string()}, std::pair{http::BodySize::of(70'000), one_piece_less},
          std::pair{http::BodySize::unknown(), std::string()}}) {
        const auto load = fleet.run(announce_upload(fleet, size, sent));
        EXPECT_EQ(load.active + load.waiting, 0u);
    }
    EXPECT_EQ(requests, 0);
    EXPECT_EQ(fleet.run(announce_upload(fleet, http::BodySize::of(70'000), one_piece_less + "x")).active, 1u);
    EXPECT_EQ(requests, 1);
}

/// Sends `pieces` of the counting body and gives the answer's status.
task<int> upload(TestFleet& fleet, http::BodySize size, std::size_t pieces) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    EXPECT_TRUE(co_await exchange->send(context, head_of(Method::post), size));
    for (std::size_t i = 0; i < pieces; ++i) {
        const auto piece = piece_number(i);
        for (std::size_t at = 0; at < piece.size(); at += 1000)
            EXPECT_TRUE(co_await exchange->write(context, std::string_view(piece).substr(at, 1000)));
    }
    EXPECT_TRUE(co_await exchange->finish(context));
    auto head = co_await exchange->receive(context);
    co_return head ? (*head)->status : 0;
}

// Goal: what was taken in before there was a connection arrives in front of the rest, once.
TEST(GatewayStreaming, UploadThatComesInSmallPiecesIsUnchanged) {
    for (const std::size_t pieces : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
        for (const auto size : {http::BodySize::of(kPiece * pieces), http::BodySize::unknown()}) {
            Reading reading;
            reading.go.notify();
            TestFleet fleet;
            fleet.serve("user-service", slow_reader(reading), large_bodies());
            fleet.start(kRoutes);
            EXPECT_EQ(fleet.run(upload(fleet, size, pieces)), 201);
            EXPECT_EQ(reading.checker.bytes, kPiece * pieces);
            EXPECT_TRUE(reading.checker.intact);
        }
    }
}

task<void> give_up_upload(TestFleet& fleet) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    EXPECT_TRUE(co_await exchange->send(context, head_of(Method::post), http::BodySize::unknown()));
    EXPECT_TRUE(co_await exchange->write(context, "half of"));
    exchange->reset();
}

// Goal: a client that goes away in the middle of its upload takes the upstream's request with it: half a body never
// looks like a whole one.
TEST(GatewayStreaming, AbortedUploadNeverLooksComplete) {
    TestFleet fleet;
    Event ended;
    bool whole = true;
    fleet.serve("user-service", [&](Context& context, http::Exchange& exchange) -> task<void> {
        while (true) {
            auto piece = co_await exchange.read(context);
            whole = piece.has_value();
            if (!piece || piece->empty()) break;
        }
        ended.notify();
    });
    fleet.start(kRoutes);
    fleet.run(give_up_upload(fleet));
    Context patience(fleet.root(), TestFleet::kPatience);
    EXPECT_TRUE(fleet.run(ended.wait(patience)));
    EXPECT_FALSE(whole);
}

// Who is to blame when the time is over; stalled uploads are in limits_test.cpp.

std::string routes_with_timeout(const std::string& timeout) {
    return "routes:\n  - match: {path: \"/{rest...}\"}\n    to: user-service\n    timeout: " + timeout +
           "\nlimits: {body_bytes_max: 1073741824}\n";
}

// Goal: a service that does not take the upload is late itself.
TEST(GatewayStreaming, ServiceThatDoesNotReadTheUploadIs504) {
    Event never;
    TestFleet fleet;
    fleet.serve_script("user-service", [&never](Context& context, Stream&) -> task<void> {
        std::ignore = co_await never.wait(context);
    });
    fleet.start(routes_with_timeout("300ms"));
    std::string body;
    EXPECT_EQ(fleet.run(upload_and_listen(fleet, http::BodySize::of(kPiece * kPieces), body)), 504);
    EXPECT_THAT(body, testing::HasSubstr("user-service did not answer in the time this request has"));
    EXPECT_THAT(fleet.get("/metrics").body,
                testing::HasSubstr("http_client_failed_requests_total{upstream=\"user-service\",reason="
                                   "\"deadline_exceeded\"} 1"));
}

task<void> ask_and_do_not_read(TestFleet& fleet) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto stream = (co_await fleet.world().connect(context, fleet.address())).value();
    EXPECT_TRUE(co_await stream->write(context, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"));
    const auto over = [&fleet] {
        return std::ranges::any_of(fleet.log_lines(), [](const auto& line) { return line.contains("\"/large\""); });
    };
    while (!over() && !context.cancelled())
        co_await fleet.settle(1);
}

// Goal: a client that does not take its answer until the time is over has itself to blame, and nobody else is.
TEST(GatewayStreaming, ClientThatDoesNotReadIsNoFaultOfTheService) {
    Sent sent;
    TestFleet fleet;
    fleet.serve("user-service", piece_source(sent, true));
    fleet.start(routes_with_timeout("300ms"));
    fleet.run(ask_and_do_not_read(fleet));
    EXPECT_THAT(fleet.log_lines(),
                testing::Contains(testing::AllOf(testing::HasSubstr("\"status\":499"),
                                                 testing::HasSubstr("the client did not take the answer in time"))));
    EXPECT_THAT(fleet.get("/metrics").body, testing::Not(testing::HasSubstr("broken_exchanges_total{")));
}

} // namespace
} // namespace flotilla::gateway::streaming_test
