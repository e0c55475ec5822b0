#include <flotilla/aio/stream.hpp>

#include <array>
#include <optional>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::stream_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLarge = 8 << 20; // far beyond any socket buffer

Error enough() { return {Kind::cancelled, "enough"}; }

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>(i * 2654435761U >> 24);
    return text;
}

struct Peers {
    static task<void> echo(Context& ctx, Stream& stream) {
        std::string buffer(64 << 10, '\0');
        while (true) {
            const auto count = co_await stream.read(ctx, buffer);
            if (!count || *count == 0) break;
            if (!co_await stream.write(ctx, std::string_view(buffer).substr(0, *count))) break;
        }
        stream.shutdown_write();
    }
    static task<void> write(Context& ctx, Stream& stream, std::string text,
                            std::optional<Result<std::size_t>>& outcome) {
        outcome.emplace(co_await stream.write(ctx, text));
    }
    static task<void> read(Context& ctx, Stream& stream, std::size_t size,
                           std::optional<Result<std::string>>& outcome) {
        outcome.emplace(co_await read_text(ctx, stream, size));
    }
};

/// Runs each test over TCP and over a Unix socket.
class StreamTest : public testing::TestWithParam<bool> {
protected:
    /// Runs the body with connected streams and a fresh context.
    void run(task<void> (*body)(Context&, StreamPair)) {
        const auto with_pair = [](Context& ctx, Address address,
                                  task<void> (*inner)(Context&, StreamPair)) -> task<void> {
            auto pair = co_await connected_pair(ctx, address);
            EXPECT_TRUE(pair) << pair.error().message();
            if (pair) co_await inner(ctx, std::move(*pair));
        };
        Context context(loop_.world());
        loop_.run_until_done(with_pair(context, address(), body));
    }
    Address address() const {
        return GetParam() ? Address::unix_socket(folder_.file("s")) : Address::tcp("127.0.0.1", 0);
    }

    TemporaryFolder folder_;
    Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, StreamTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Unix" : "Tcp"; });

// Goal: much more than the buffers hold comes back unchanged, both directions at once.
TEST_P(StreamTest, EchoLargeTransferIsUnchanged) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        const std::string sent = pattern(kLarge);
        std::optional<Result<std::size_t>> written;
        Scope scope(ctx);
        scope.spawn(Peers::echo(ctx, *pair.server));
        scope.spawn(Peers::write(ctx, *pair.client, sent, written));
        const auto received = co_await read_text(ctx, *pair.client, sent.size());
        EXPECT_TRUE(received.value() == sent);
        pair.client->shutdown_write();
        co_await scope.join();
        EXPECT_EQ(written->value(), sent.size());
    });
}

// Goal: a write waits while nobody reads, and goes on when somebody does.
TEST_P(StreamTest, WriteWaitsForReader) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        std::optional<Result<std::size_t>> written;
        Scope scope(ctx);
        scope.spawn(Peers::write(ctx, *pair.client, pattern(kLarge), written));
        co_await several_turns(ctx.world(), 50);
        EXPECT_FALSE(written.has_value());
        EXPECT_EQ((co_await read_text(ctx, *pair.server, kLarge))->size(), kLarge);
        co_await scope.join();
        EXPECT_EQ(written->value(), kLarge);
    });
}

// Goal: pieces arrive in order as one text, empty ones and large ones too.
TEST_P(StreamTest, WriteGathersPieces) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        const std::string large = pattern(kLarge / 8);
        const std::array<std::string_view, 8> pieces{"", "one", "", large, "two", large, "", "three"};
        std::string expected;
        for (const auto piece : pieces)
            expected += piece;
        std::optional<Result<std::string>> received;
        Scope scope(ctx);
        scope.spawn(Peers::read(ctx, *pair.server, expected.size(), received));
        EXPECT_EQ((co_await pair.client->write(ctx, pieces)).value(), expected.size());
        EXPECT_EQ((co_await pair.client->write(ctx, "")).value(), 0U);
        co_await scope.join();
        EXPECT_TRUE(received->value() == expected);
    });
}

/// A client on plain system calls, which see what has really arrived.
class PlainClient {
public:
    explicit PlainClient(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
        const sockaddr_in address{
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("connect failed");
    }
    PlainClient(const PlainClient&) = delete;
    PlainClient& operator=(const PlainClient&) = delete;
    ~PlainClient() { ::close(descriptor_); }
    void ask() const { EXPECT_EQ(::send(descriptor_, "?", 1, MSG_NOSIGNAL), 1); }
    bool take_answer() const {
        char byte = 0;
        return ::recv(descriptor_, &byte, 1, MSG_DONTWAIT) == 1;
    }

private:
    int descriptor_;
};

/// Answers twice; notes whether the other's second answer had left when this one's was given.
task<void> answer_twice(Context& ctx, Stream& stream, const PlainClient& other, int& given, bool& other_had_left) {
    for (int round = 0; round < 2; ++round) { // the first write of a connection leaves at once
        EXPECT_EQ((co_await read_text(ctx, stream, 1)).value(), "?");
        if (++given == 4) other_had_left = other.take_answer();
        EXPECT_TRUE(co_await write_text(ctx, stream, "!"));
    }
}

// Goal: what several streams answer in one turn leaves at its end, together: whoever reads is woken for all of it once.
TEST(StreamTurn, AnswersOfATurnLeaveTogether) {
    Loop loop;
    Context context(loop.world());
    const auto play = [](Context& ctx) -> task<void> {
        auto listener = ctx.world().listen(Address::tcp("127.0.0.1", 0)).value();
        const PlainClient one(listener->local().port), two(listener->local().port);
        const auto stream_one = (co_await listener->accept(ctx)).value();
        const auto stream_two = (co_await listener->accept(ctx)).value();
        int given = 0;
        bool left_early = false;
        Scope scope(ctx);
        scope.spawn(answer_twice(scope.context(), *stream_one, two, given, left_early));
        scope.spawn(answer_twice(scope.context(), *stream_two, one, given, left_early));
        for (int round = 0; round < 2; ++round) {
            one.ask();
            two.ask(); // both are readable when the loop looks next
            bool answered_one = false, answered_two = false;
            while (!answered_one || !answered_two) {
                co_await next_turn(ctx.world());
                answered_one = answered_one || one.take_answer() || (round == 1 && left_early);
                answered_two = answered_two || two.take_answer() || (round == 1 && left_early);
            }
        }
        co_await scope.join();
        EXPECT_EQ(given, 4);
        EXPECT_FALSE(left_early);
    };
    loop.run_until_done(play(context));
}

// Goal: write_now takes what fits without waiting, in order with what write() sends afterwards; once closed nothing.
TEST_P(StreamTest, WriteNowTakesWhatFits) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        const std::string sent = pattern(kLarge);
        std::size_t taken = pair.client->write_now(std::string_view(sent).substr(0, 100));
        EXPECT_EQ(taken, 100U);
        while (const std::size_t more = pair.client->write_now(std::string_view(sent).substr(taken)))
            taken += more;
        EXPECT_LT(taken, sent.size()) << "nobody reads";
        Scope scope(ctx);
        std::optional<Result<std::size_t>> rest;
        std::optional<Result<std::string>> received;
        scope.spawn(Peers::write(scope.context(), *pair.client, sent.substr(taken), rest));
        scope.spawn(Peers::read(scope.context(), *pair.server, sent.size(), received));
        co_await scope.join();
        EXPECT_TRUE(received->value() == sent);
        pair.client->close();
        EXPECT_EQ(pair.client->write_now("x"), 0U);
    });
}

// Goal: after a FIN the other direction goes on; the reader sees 0, again and again.
TEST_P(StreamTest, HalfCloseKeepsOtherDirection) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        EXPECT_TRUE(co_await write_text(ctx, *pair.client, "question"));
        pair.client->shutdown_write();
        EXPECT_EQ((co_await read_text(ctx, *pair.server, 100)).value(), "question");
        std::array<char, 10> buffer{};
        EXPECT_EQ((co_await pair.server->read(ctx, buffer)).value(), 0U);
        EXPECT_EQ((co_await pair.server->read(ctx, buffer)).value(), 0U);
        EXPECT_TRUE(co_await write_text(ctx, *pair.server, "answer"));
        pair.server->close();
        EXPECT_EQ((co_await read_text(ctx, *pair.client, 100)).value(), "answer");
    });
}

// Goal: a peer that goes without reading is an `unavailable` that names it; writing to it kills nobody.
TEST_P(StreamTest, ResetIsUnavailable) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        EXPECT_TRUE(co_await write_text(ctx, *pair.client, "never read"));
        pair.server->close();
        std::array<char, 10> buffer{};
        const auto read = co_await pair.client->read(ctx, buffer);
        EXPECT_FALSE(read) << "a reset, since bytes were lost";
        if (!read) {
            EXPECT_EQ(read.error().kind(), Kind::unavailable);
            EXPECT_NE(read.error().message().find(pair.client->peer().to_string()), std::string::npos)
                << read.error().message();
        }
        EXPECT_EQ((co_await pair.client->write(ctx, "to nobody")).error().kind(), Kind::unavailable);
        EXPECT_EQ((co_await pair.client->write(ctx, "to nobody")).error().kind(), Kind::unavailable);
    });
}

// Goal: a deadline ends a read; the stream stays usable, and nothing that arrives later is lost.
TEST_P(StreamTest, CancelledReadKeepsStream) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        std::array<char, 10> buffer{};
        for (int i = 0; i < 3; ++i) {
            Context brief(ctx, 2ms);
            EXPECT_EQ((co_await pair.client->read(brief, buffer)).error().kind(), Kind::deadline_exceeded);
            EXPECT_FALSE(co_await pair.client->read(brief, buffer)) << "a cancelled context starts nothing";
        }
        EXPECT_TRUE(co_await write_text(ctx, *pair.server, "late"));
        EXPECT_EQ((co_await read_text(ctx, *pair.client, 4)).value(), "late");
    });
}

// Goal: cancelling a read leaves a write of another context alone.
TEST_P(StreamTest, CancelReadLeavesWriteAlone) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        std::optional<Result<std::size_t>> written;
        std::optional<Result<std::string>> read;
        Scope writing(ctx);
        Scope reading(ctx);
        writing.spawn(Peers::write(writing.context(), *pair.client, pattern(kLarge), written));
        reading.spawn(Peers::read(reading.context(), *pair.client, 1, read));
        reading.cancel(enough());
        EXPECT_FALSE(read.has_value()) << "cancel() wakes nobody inline";
        co_await reading.join();
        EXPECT_EQ(read->error().message(), "enough");
        EXPECT_EQ((co_await read_text(ctx, *pair.server, kLarge))->size(), kLarge);
        co_await writing.join();
        EXPECT_EQ(written->value(), kLarge);
    });
}

// Goal: a deadline ends a write that nobody reads.
TEST_P(StreamTest, CancelledWriteEnds) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        Context brief(ctx, 3ms);
        const std::string text = pattern(kLarge);
        EXPECT_EQ((co_await pair.client->write(brief, text)).error().kind(), Kind::deadline_exceeded);
    });
}

// Goal: close() ends what is in flight with an error, not inline; later operations fail; closing twice is fine.
TEST_P(StreamTest, CloseEndsOperationsInFlight) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        std::optional<Result<std::size_t>> written;
        std::optional<Result<std::string>> read;
        Scope scope(ctx);
        scope.spawn(Peers::write(ctx, *pair.client, pattern(kLarge), written));
        scope.spawn(Peers::read(ctx, *pair.client, 1, read));
        pair.client->close();
        pair.client->close();
        EXPECT_FALSE(read.has_value() || written.has_value());
        co_await scope.join();
        EXPECT_EQ(read->error().kind(), Kind::unavailable);
        EXPECT_EQ(written->error().kind(), Kind::unavailable);
        EXPECT_FALSE(pair.client->is_open());
        EXPECT_FALSE(pair.client->is_quiet());
        pair.client->shutdown_write();
        std::array<char, 4> buffer{};
        EXPECT_EQ((co_await pair.client->read(ctx, buffer)).error().kind(), Kind::unavailable);
        EXPECT_EQ((co_await pair.client->write(ctx, "x")).error().kind(), Kind::unavailable);
    });
}

// Goal: a stream destroyed under an operation ends it; nothing touches the dead stream.
TEST_P(StreamTest, DestroyStreamEndsOperationsInFlight) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        std::optional<Result<std::size_t>> written;
        std::optional<Result<std::string>> read;
        Scope scope(ctx);
        scope.spawn(Peers::write(scope.context(), *pair.client, pattern(kLarge), written));
        scope.spawn(Peers::read(scope.context(), *pair.client, 1, read));
        pair.client.reset();
        scope.cancel(enough());
        co_await scope.join();
        EXPECT_FALSE(read->has_value());
        EXPECT_FALSE(written->has_value());
    });
}

// Goal: a task destroyed while it reads or writes leaves no trace: its buffer is never written, the stream serves the
// next.
TEST_P(StreamTest, DestroyTaskInFlightIsSafe) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        for (int i = 0; i < 3; ++i) {
            std::optional<Result<std::string>> read;
            {
                Scope scope(ctx);
                scope.spawn(Peers::read(ctx, *pair.client, 4, read));
                co_await several_turns(ctx.world(), i);
            }
            EXPECT_TRUE(co_await write_text(ctx, *pair.server, "data"));
            co_await several_turns(ctx.world(), i);
            EXPECT_FALSE(read.has_value());
            EXPECT_EQ((co_await read_text(ctx, *pair.client, 4)).value(), "data");
        }
        std::optional<Result<std::size_t>> written;
        {
            Scope scope(ctx);
            scope.spawn(Peers::write(ctx, *pair.client, pattern(kLarge), written));
            co_await several_turns(ctx.world()); // a part has left by then
        }
        std::array<char, 4096> buffer{};
        EXPECT_GT((co_await pair.server->read(ctx, buffer)).value(), 0U);
        co_await several_turns(ctx.world());
        EXPECT_FALSE(written.has_value());
    });
}

// Goal: the same when the task's stream operation has failed or was cancelled but the task was not woken yet.
TEST_P(StreamTest, DestroyTaskBeforeItWakesIsSafe) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        for (const bool closing : {false, true}) {
            std::optional<Result<std::string>> read;
            {
                Scope scope(ctx);
                scope.spawn(Peers::read(scope.context(), *pair.client, 4, read));
                if (closing) {
                    pair.client->close();
                } else {
                    scope.cancel(enough());
                }
            }
            co_await several_turns(ctx.world());
            EXPECT_FALSE(read.has_value());
        }
    });
}

// Goal: a stream is quiet until a byte or the end arrives.
TEST_P(StreamTest, IsQuietSeesBytesAndEnd) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        EXPECT_TRUE(pair.client->is_quiet());
        EXPECT_TRUE(co_await write_text(ctx, *pair.server, "x"));
        co_await several_turns(ctx.world());
        EXPECT_FALSE(pair.client->is_quiet());
        EXPECT_EQ((co_await read_text(ctx, *pair.client, 1)).value(), "x");
        EXPECT_TRUE(pair.client->is_quiet());
        pair.server->close();
        co_await several_turns(ctx.world());
        EXPECT_FALSE(pair.client->is_quiet());
    });
}

// Goal: a guarded write sends nothing once something has arrived, though the loop has not seen it yet; the next write
// is not guarded any more.
TEST_P(StreamTest, GuardedWriteSendsNothingAfterWhatArrived) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        EXPECT_TRUE(co_await write_text(ctx, *pair.client, "1"));
        EXPECT_TRUE(co_await write_text(ctx, *pair.server, "x"));
        EXPECT_EQ((co_await read_text(ctx, *pair.client, 1)).value(), "x");
        pair.client->guard_next_write();
        EXPECT_TRUE(co_await write_text(ctx, *pair.client, "2")) << "nothing has arrived";
        pair.client->guard_next_write();
        EXPECT_EQ(pair.server->write_now("y"), 1u);
        const auto refused = co_await write_text(ctx, *pair.client, "3");
        EXPECT_FALSE(refused);
        if (!refused) EXPECT_EQ(refused.error().code(), Stream::kNotQuiet);
        EXPECT_TRUE(co_await write_text(ctx, *pair.client, "4"));
        EXPECT_EQ((co_await read_text(ctx, *pair.server, 3)).value(), "124");
    });
}

// Goal: who is answered has reached the other side.
TEST_P(StreamTest, WhoIsAnsweredHasReachedThePeer) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        for (const std::string text : {"1", "22"}) {
            pair.client->guard_next_write();
            EXPECT_TRUE(co_await write_text(ctx, *pair.client, text));
            EXPECT_EQ((co_await read_text(ctx, *pair.server, text.size())).value(), text);
            EXPECT_TRUE(co_await write_text(ctx, *pair.server, "x"));
            EXPECT_EQ((co_await read_text(ctx, *pair.client, 1)).value(), "x");
            EXPECT_TRUE(pair.client->has_reached_peer());
        }
    });
}

// Goal: who asks for this moment hears of what came since the loop last looked.
TEST_P(StreamTest, IsQuietNowSeesTheEndInTheSameTurn) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        EXPECT_TRUE(co_await write_text(ctx, *pair.server, "x"));
        EXPECT_EQ((co_await read_text(ctx, *pair.client, 1)).value(), "x");
        EXPECT_TRUE(pair.client->is_quiet_now());
        pair.server->close();
        EXPECT_FALSE(pair.client->is_quiet_now());
        pair.client->close();
        EXPECT_FALSE(pair.client->is_quiet_now());
    });
}

// Goal: a stream that is always ready leaves turns to the others (this test would not end otherwise).
TEST_P(StreamTest, AlwaysReadyStreamDoesNotStarveLoop) {
    run([](Context& ctx, StreamPair pair) -> task<void> {
        bool others_ran = false;
        ctx.world().post([&] { others_ran = true; });
        std::array<char, 1> buffer{};
        while (!others_ran) {
            EXPECT_TRUE(co_await pair.client->write(ctx, "x"));
            EXPECT_TRUE(co_await pair.server->read(ctx, buffer));
        }
        Context brief(ctx, 2ms);
        while (!brief.cancelled()) {
            EXPECT_TRUE(co_await pair.client->write(ctx, "x"));
            EXPECT_TRUE(co_await pair.server->read(ctx, buffer));
        }
    });
}

} // namespace
} // namespace flotilla::stream_test
