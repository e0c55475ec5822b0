// Bodies that are streams of bytes: served by a host, called by a typed client, over TCP.
#include <gtest/gtest.h>

#include <flotilla/base/constrained.hpp>
#include <flotilla/http/test_wire.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::streamed_endpoint_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::uint64_t kLarge = 40 * 1024 * 1024;
// What the sockets' buffers on both sides may hold at most (tcp_rmem, tcp_wmem), and a few pieces.
constexpr std::uint64_t kUnderWayMax = 16 * 1024 * 1024;

struct Upload {
    std::string name;
    std::optional<Bounded<int, 1, 9>> part;
};
struct Stored {
    std::string name;
    int part = 0;
    std::int64_t bytes = 0;
};
struct Note {
    std::string text;
};

constexpr Service files{"file-service"};
constexpr StreamedEndpoint<Upload, Stored> put_file{
    files, Method::put, "/files/{name}", {.body_bytes_max = 100 << 20, .timeout = 10min}};
constexpr StreamedEndpoint<Upload, Stored> put_small{files, Method::put, "/small/{name}"};
constexpr StreamedEndpoint<Upload, Stored> append{
    files, Method::post, "/files/{name}/more", {.body_bytes_max = 100 << 20}};
constexpr StreamedEndpoint<Upload, Empty> ignore{files, Method::put, "/ignored/{name}", {.body_bytes_max = 100 << 20}};
constexpr Endpoint<Note, Empty> add_note{files, Method::post, "/notes"};
constexpr Endpoint<Note, Empty> add_book{files, Method::post, "/books", {.body_bytes_max = 20 << 20}};

char byte_at(std::uint64_t at) { return static_cast<char>('a' + at / kPiece % 26); }

/// Reads uploads, slowly when gated.
class Files {
public:
    Event entered, gate;
    bool gated = false;
    bool intact = true;
    std::size_t largest_piece = 0;
    std::uint64_t bytes = 0;
    int calls = 0;
    Duration remaining{};
    std::optional<std::uint64_t> announced;
    std::string content_type;
    std::optional<Error> failure;

    task<Result<Stored>> put(Context& context, Upload request, BodyStream& body) {
        ++calls;
        bytes = 0;
        remaining = context.remaining();
        announced = body.size();
        content_type = body.content_type();
        entered.notify();
        if (gated) co_await must(gate.wait(context));
        while (true) {
            auto piece = co_await body.read(context);
            if (!piece) failure = piece.error();
            co_await must(std::move(piece));
            if (piece->empty()) break;
            largest_piece = std::max(largest_piece, piece->size());
            for (const char c : *piece)
                intact = intact && c == byte_at(bytes++);
        }
        co_return Stored{std::move(request.name), request.part ? static_cast<int>(*request.part) : 0,
                         static_cast<std::int64_t>(bytes)};
    }
    task<Result<Empty>> ignore(Context&, Upload, BodyStream&) { co_return Empty{}; }
    task<Result<Empty>> note(Context&, Note request) {
        bytes = request.text.size();
        co_return Empty{};
    }
};

/// Gives `size` bytes of the pattern, a piece at a time, and counts what it gave.
struct Pattern {
    std::uint64_t size;
    std::uint64_t given = 0;
    std::uint64_t fails_at = ~std::uint64_t{0};
    std::string piece = {};

    task<Result<std::string_view>> next(Context&) {
        if (given >= fails_at) co_return Error(Kind::conflict, "changed", "the file has changed");
        piece.assign(std::min<std::uint64_t>(kPiece, size - given), byte_at(given));
        given += piece.size();
        co_return std::string_view(piece);
    }
    http::BodySource::Next source() {
        return [this](Context& context) { return next(context); };
    }
};

class StreamedEndpointTest : public testing::Test {
protected:
    void start(HostOptions options = {}) {
        host_.emplace(
            bench_,
            [this](Host& host) {
                files_ = &host.own<Files>();
                host.serve(put_file, &Files::put, *files_);
                host.serve(put_small, &Files::put, *files_);
                host.serve(append, &Files::put, *files_);
                host.serve(ignore, &Files::ignore, *files_);
                host.serve(add_note, &Files::note, *files_);
                host.serve(add_book, &Files::note, *files_);
            },
            std::move(options));
    }
    Calls& calls(std::vector<Instance> instances) {
        registry_ = value(open_registry(bench_.world(), bench_.client(), bench_.process(),
                                        {.url = "static:", .fixed = {{"file-service", std::move(instances)}}}));
        targets_ = std::make_unique<Targets>(bench_.world(), bench_.client(), *registry_,
                                             bench_.process().retry_budgets, bench_.process(), in_turn());
        calls_ = std::make_unique<Calls>(*targets_);
        calls_->declare(files);
        return *calls_;
    }
    Calls& calls() { return calls({{.id = "one", .address = host_->address()}}); }
    /// An instance where nobody listens.
    Instance gone() {
        http::Server server(bench_.world(), {});
        return {.id = "gone", .address = value(server.listen(Address::tcp("127.0.0.1", 0)))};
    }
    template <class Response>
    Result<Response> call(Calls& calls, const StreamedEndpoint<Upload, Response>& endpoint, Upload request,
                          http::BodySource& body) {
        Context bounded(bench_.root(), Duration(20s));
        return bench_.wait(calls.call(bounded, endpoint, std::move(request), body));
    }

    Bench bench_;
    std::optional<TestHost> host_;
    Files* files_ = nullptr;
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<Targets> targets_;
    std::unique_ptr<Calls> calls_;
};

task<void> upload_to_gated(Context& context, Calls& calls, Pattern& pattern, http::BodySource& body,
                           std::optional<Result<Stored>>& outcome) {
    outcome = co_await calls.call(context, put_file, Upload{.name = "large"}, body);
    EXPECT_EQ(pattern.given, pattern.size);
}

// Goal: 40 MiB pass through a streamed endpoint in pieces of at most 64 KiB, and a handler that does not read makes the
// sender wait: what is under way is bounded whatever the size.
TEST_F(StreamedEndpointTest, LargeBodyPassesWithBackPressure) {
    start();
    for (const bool known : {true, false}) {
        files_->gated = true;
        Pattern pattern{.size = kLarge};
        http::BodySource body(pattern.source(), known ? http::BodySize::of(kLarge) : http::BodySize::unknown());
        bench_.client().close_idle(); // a connection that was fast has large buffers
        Context bounded(bench_.root(), Duration(20s));
        std::optional<Result<Stored>> outcome;
        Scope scope(bounded);
        scope.spawn(upload_to_gated(bounded, calls(), pattern, body, outcome));
        ASSERT_TRUE(bench_.wait(files_->entered.wait(bounded)));
        // Until nothing moves any more.
        std::uint64_t before = 0;
        ASSERT_TRUE(bench_.eventually([&] { return std::exchange(before, pattern.given) == pattern.given; }));
        EXPECT_LT(pattern.given, kUnderWayMax);
        EXPECT_FALSE(outcome);
        files_->gate.notify();
        bench_.wait(scope.join());
        ASSERT_TRUE(outcome && *outcome) << outcome->error().message();
        EXPECT_EQ((*outcome)->bytes, static_cast<std::int64_t>(kLarge));
        EXPECT_TRUE(files_->intact);
        EXPECT_LE(files_->largest_piece, 2 * kPiece) << "chunks come together as far as a buffer holds them";
        EXPECT_EQ(files_->announced, known ? std::optional(kLarge) : std::nullopt);
    }
}

// Goal: parameters come from path and query, the body is of any content type, also without any bytes.
TEST_F(StreamedEndpointTest, ParametersTravelBesideTheBody) {
    start();
    const std::string bytes(10, 'a');
    http::BodySource body(bytes, "image/png");
    const auto stored = value(call(calls(), put_file, {.name = "a b/c", .part = 3}, body));
    EXPECT_EQ(stored.name, "a b/c");
    EXPECT_EQ(stored.part, 3);
    EXPECT_EQ(stored.bytes, 10);
    EXPECT_EQ(files_->content_type, "image/png");
    http::BodySource empty("");
    EXPECT_EQ(value(call(calls(), put_file, {.name = "empty"}, empty)).bytes, 0);
    EXPECT_EQ(files_->content_type, "application/octet-stream");
    // Nothing of a bad request's body is read.
    const auto wrong = host_->send("PUT", "/files/a?part=10", std::string(10, 'a'), {{"content-type", "text/plain"}});
    EXPECT_EQ(wrong.status(), 400);
    EXPECT_EQ(code_of(wrong), "invalid_request");
    EXPECT_EQ(files_->calls, 2);
    // A key cannot make it idempotent, and does not try to.
    EXPECT_EQ(host_->send("PUT", "/files/a", "aa", {{"idempotency-key", "k"}}).status(), 200);
}

/// Says `bytes` on a connection of its own and gives what comes until it ends.
task<std::string> say(Context& context, Address address, std::string bytes) {
    auto wire = co_await http::Wire::connect(context, std::move(address));
    co_await wire->say(std::move(bytes));
    co_return co_await wire->rest();
}

std::string head(std::string_view target, std::string_view fields) {
    return "PUT " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

// Goal: past its limit an upload is refused before any of it comes, without 100 (Continue), and where chunks exceed it;
// the service's default counts where the endpoint declares nothing.
TEST_F(StreamedEndpointTest, BodyPastTheLimitIsRefused) {
    start({.body_bytes_max = 1000});
    Context bounded(bench_.root(), Duration(20s));
    const auto ask = [&](std::string request) { return bench_.wait(say(bounded, host_->address(), request)); };

    const auto announced = ask(head("/files/a", "Content-Length: 104857601\r\n"));
    EXPECT_TRUE(announced.starts_with("HTTP/1.1 413 ")) << announced;
    const auto expected = ask(head("/files/a", "Expect: 100-continue\r\nContent-Length: 104857601\r\n"));
    EXPECT_TRUE(expected.starts_with("HTTP/1.1 413 ")) << expected;
    EXPECT_TRUE(ask(head("/small/a", "Content-Length: 1001\r\n")).starts_with("HTTP/1.1 413 "));
    EXPECT_EQ(files_->calls, 0) << "refused before the handler";

    const auto chunked = ask(head("/small/a", "Transfer-Encoding: chunked\r\n") + "3e8\r\n" + std::string(1000, 'a') +
                             "\r\n1\r\na\r\n0\r\n\r\n");
    EXPECT_TRUE(chunked.starts_with("HTTP/1.1 413 ")) << chunked;
    ASSERT_TRUE(files_->failure);
    EXPECT_EQ(files_->failure->code(), "content_too_large");
    EXPECT_EQ(files_->bytes, 1000U) << "what came before was the handler's";
    EXPECT_EQ(host_->send("PUT", "/small/a", std::string(1000, 'a')).status(), 200);
}

// Goal: an endpoint of JSON may declare a larger limit too; without, the service's counts.
TEST_F(StreamedEndpointTest, JsonEndpointMayDeclareItsLimit) {
    start({.body_bytes_max = 1000});
    const auto note = [](std::size_t size) { return R"({"text":")" + std::string(size, 'x') + R"("})"; };
    EXPECT_EQ(host_->post("/notes", note(900)).status(), 204);
    const auto refused = host_->post("/notes", note(1000));
    EXPECT_EQ(refused.status(), 413);
    EXPECT_EQ(code_of(refused), "content_too_large");
    EXPECT_EQ(host_->post("/books", note(15 << 20)).status(), 204);
    EXPECT_EQ(files_->bytes, 15U << 20);
}

// Goal: what a handler leaves unread does no harm: a small rest is skipped, a large one ends the connection.
TEST_F(StreamedEndpointTest, UnreadBodyIsHandled) {
    start();
    Context bounded(bench_.root(), Duration(20s));
    const auto twice = bench_.wait(say(bounded, host_->address(),
                                       head("/ignored/a", "Content-Length: 1000\r\n") + std::string(1000, 'a') +
                                           head("/ignored/a", "Connection: close\r\n")));
    EXPECT_TRUE(twice.starts_with("HTTP/1.1 204 ")) << twice;
    EXPECT_NE(twice.find("HTTP/1.1 204 ", 1), std::string::npos) << twice;
    const auto large = bench_.wait(say(bounded, host_->address(), head("/ignored/a", "Content-Length: 50000000\r\n")));
    EXPECT_TRUE(large.starts_with("HTTP/1.1 204 ")) << large;
    EXPECT_NE(large.find("Connection: close\r\n"), std::string::npos) << large;
    Pattern pattern{.size = kLarge};
    http::BodySource body(pattern.source());
    EXPECT_TRUE(call(calls(), ignore, {.name = "a"}, body)) << "an early answer ends the sending";
    EXPECT_LT(pattern.given, kLarge);
}

// Goal: an endpoint's own time replaces the 30 s of the server; a deadline that the caller brings stays.
TEST_F(StreamedEndpointTest, DeclaredTimeReplacesTheServersButNotTheCallers) {
    start();
    EXPECT_EQ(host_->send("PUT", "/files/a", "a").status(), 200);
    EXPECT_GT(files_->remaining, 9min);
    EXPECT_LE(files_->remaining, 10min);
    EXPECT_EQ(host_->send("PUT", "/files/a", "a", {{"flotilla-timeout-ms", "60000"}}).status(), 200);
    EXPECT_GT(files_->remaining, 50s);
    EXPECT_LE(files_->remaining, 60s);
    EXPECT_EQ(host_->send("PUT", "/small/a", "a").status(), 200);
    EXPECT_LE(files_->remaining, 30s);
}

// Goal: a source that fails ends the call with its error, and the handler does not take what came for the whole.
TEST_F(StreamedEndpointTest, FailingSourceBreaksTheRequest) {
    start();
    for (const auto size : {http::BodySize::of(1 << 20), http::BodySize::unknown()}) {
        files_->failure.reset();
        Pattern pattern{.size = 1 << 20, .fails_at = 3 * kPiece};
        http::BodySource body(pattern.source(), size);
        const auto failed = call(calls(), put_file, {.name = "a"}, body);
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code(), "changed") << failed.error().message();
        EXPECT_TRUE(bench_.eventually([&] { return files_->failure.has_value(); }));
    }
    // Nor does one that gives less, or more, than it said.
    for (const std::uint64_t said : {2 * kPiece + 1, 2 * kPiece - 1}) {
        files_->failure.reset();
        Pattern pattern{.size = 2 * kPiece};
        http::BodySource body(pattern.source(), http::BodySize::of(said));
        const auto failed = call(calls(), put_file, {.name = "a"}, body);
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().kind(), Kind::internal) << failed.error().message();
        EXPECT_TRUE(bench_.eventually([&] { return files_->failure.has_value(); }));
    }
}

// Goal: a client that stalls until the request's time is over is told that it was late, by endpoints of either sort.
TEST_F(StreamedEndpointTest, StalledBodyIs408) {
    start();
    Context bounded(bench_.root(), Duration(20s));
    const std::string fields = "flotilla-timeout-ms: 30\r\nContent-Length: 10\r\n";
    for (const auto& request : {head("/files/a", fields), "POST /notes HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"}) {
        const auto answer = bench_.wait(say(bounded, host_->address(), request + "aaa"));
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
        EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
        EXPECT_NE(answer.find("request_timeout"), std::string::npos) << answer;
    }
}

/// As one that passes on a body which its own client stalls.
task<Result<std::string_view>> stall(Context& context) {
    std::ignore = co_await sleep_for(context, 1h);
    co_return Error(Kind::invalid, "request_timeout", "the request body took too long to arrive");
}

// Goal: whose source lets the deadline pass hears of the source, and the instance is not blamed.
TEST_F(StreamedEndpointTest, SourceThatStallsIsNotTheServicesFault) {
    start();
    for (const auto size : {http::BodySize::of(10), http::BodySize::unknown()}) {
        http::BodySource body([](Context& context) { return stall(context); }, size);
        Context bounded(bench_.root(), Duration(30ms));
        const auto failed = bench_.wait(calls().call(bounded, put_file, Upload{.name = "a"}, body));
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code(), "request_timeout") << failed.error().message();
        EXPECT_TRUE(bench_.lines_with("an instance gave no usable answer").empty());
    }
}

// Goal: a refusal that comes while the body is sent is the answer, and ends the sending.
TEST_F(StreamedEndpointTest, RefusalEndsTheSending) {
    start();
    Pattern pattern{.size = kLarge};
    http::BodySource body(pattern.source(), http::BodySize::of(kLarge));
    const auto refused = call(calls(), put_small, {.name = "a"}, body);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::too_large);
    EXPECT_EQ(refused.error().code(), "content_too_large");
    EXPECT_LT(pattern.given, kLarge);
}

// Goal: while no piece was taken another instance is tried, whatever the method; the body goes out once.
TEST_F(StreamedEndpointTest, UnreachableInstanceIsPassedOver) {
    start();
    Pattern pattern{.size = 3 * kPiece};
    http::BodySource body(pattern.source());
    auto& calling = calls({gone(), {.id = "one", .address = host_->address()}});
    EXPECT_EQ(value(call(calling, append, {.name = "a"}, body)).bytes, static_cast<std::int64_t>(3 * kPiece));
    EXPECT_EQ(pattern.given, 3 * kPiece);
    EXPECT_TRUE(files_->intact);
}

// Goal: once a piece was taken a stream is not sent again; bytes are, where the method is idempotent.
TEST_F(StreamedEndpointTest, TakenStreamIsNotRepeated) {
    start();
    int cuts = 0;
    http::Server cutting(bench_.world(), [&cuts](Context& context, http::Exchange& exchange) -> task<void> {
        ++cuts;
        std::ignore = co_await exchange.read_all(context);
        exchange.reset();
    });
    const Instance broken{.id = "broken", .address = value(cutting.listen(Address::tcp("127.0.0.1", 0)))};
    const Instance fine{.id = "fine", .address = host_->address()};
    bench_.scope().spawn(cutting.run(bench_.scope().context()));

    Pattern pattern{.size = 3 * kPiece};
    http::BodySource stream(pattern.source());
    const auto failed = call(calls({broken, fine}), put_file, {.name = "a"}, stream);
    ASSERT_FALSE(failed);
    EXPECT_TRUE(failed.error().message().starts_with("calling broken: ")) << failed.error().message();
    EXPECT_EQ(cuts, 1);
    EXPECT_EQ(files_->calls, 0);

    const std::string bytes(10, 'a');
    http::BodySource once(bytes);
    EXPECT_FALSE(call(calls({broken, fine}), append, {.name = "a"}, once)) << "a POST may have happened";
    EXPECT_EQ(files_->calls, 0);
    http::BodySource again(bytes);
    EXPECT_EQ(value(call(calls({broken, fine}), put_file, {.name = "a"}, again)).bytes, 10);
    EXPECT_EQ(files_->calls, 1);
    bench_.finish();
}

using Whole = task<Result<Stored>> (*)(Context&, Upload);
using Streamed = task<Result<Stored>> (*)(Context&, Upload, BodyStream&);
using OfAnotherAnswer = task<Result<Empty>> (*)(Context&, Upload, BodyStream&);

// Goal: a handler of another shape than its endpoint does not compile (Host::serve asserts these).
TEST(StreamedEndpointHandlers, OtherShapesDoNotCompile) {
    static_assert(Serves<Whole, Upload, Stored>);
    static_assert(!Serves<Streamed, Upload, Stored>);
    static_assert(ServesStream<Streamed, Upload, Stored>);
    static_assert(!ServesStream<Whole, Upload, Stored>);
    static_assert(!ServesStream<OfAnotherAnswer, Upload, Stored>);
}

} // namespace
} // namespace flotilla::streamed_endpoint_test
