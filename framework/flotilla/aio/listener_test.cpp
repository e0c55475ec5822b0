#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/socket_address.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::listener_test {
namespace {

using namespace std::chrono_literals;
using AcceptOutcome = std::optional<Result<std::unique_ptr<Stream>>>;

const Address kLoopback = Address::tcp("127.0.0.1", 0);

struct Tasks {
    static task<void> accept(Context& ctx, Listener& listener, AcceptOutcome& outcome) {
        outcome.emplace(co_await listener.accept(ctx));
    }
    static task<void> connect(Context& ctx, Address address, AcceptOutcome& outcome) {
        outcome.emplace(co_await ctx.world().connect(ctx, address));
    }
};

/// A listening Unix socket whose owner died: the file is there, nobody listens.
void leave_stale_socket(const std::string& path) {
    const auto address = detail::numeric_address(Address::unix_socket(path)).value();
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(fd, address.data(), address.length), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    ::close(fd);
}

/// CPU time of this thread.
Duration cpu_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1s + time.tv_nsec * 1ns;
}

class ListenerTest : public testing::Test {
protected:
    TemporaryFolder folder_;
    Loop loop_;
    World& world_ = loop_.world();
    Context context_{world_};
};

// Goal: both sides know each other's address; port 0 became a real one.
TEST_F(ListenerTest, TcpPeersKnowAddresses) {
    auto body = [](Context& ctx) -> task<Result<void>> {
        auto listener = co_await must(ctx.world().listen(kLoopback));
        EXPECT_NE(listener->local().port, 0);
        auto client = co_await must(ctx.world().connect(ctx, listener->local()));
        auto server = co_await must(listener->accept(ctx));
        EXPECT_EQ(client->peer(), listener->local());
        EXPECT_EQ(server->peer().host, "127.0.0.1");
        EXPECT_NE(server->peer().port, 0);
        co_return {};
    };
    EXPECT_TRUE(loop_.run_until_done(body(context_)));
}

// Goal: IPv6 works, and a listener on :: takes IPv4 too, showing plain IPv4 addresses.
TEST_F(ListenerTest, Ipv6ListenerTakesBoth) {
    auto body = [](Context& ctx, std::unique_ptr<Listener> listener) -> task<Result<void>> {
        const std::uint16_t port = listener->local().port;
        auto v6 = co_await must(ctx.world().connect(ctx, Address::tcp("::1", port)));
        EXPECT_EQ((co_await must(listener->accept(ctx)))->peer().host, "::1");
        auto v4 = co_await must(ctx.world().connect(ctx, Address::tcp("127.0.0.1", port)));
        EXPECT_EQ((co_await must(listener->accept(ctx)))->peer().host, "127.0.0.1");
        co_return {};
    };
    auto listener = world_.listen(Address::tcp("::", 0));
    if (!listener || !world_.listen(Address::tcp("::1", 0))) GTEST_SKIP() << "no IPv6 here";
    EXPECT_TRUE(loop_.run_until_done(body(context_, std::move(*listener))));
}

// Goal: a port is taken once, unless both ask to share it.
TEST_F(ListenerTest, PortIsTakenOnceUnlessShared) {
    auto exclusive = world_.listen(kLoopback).value();
    const auto refused = world_.listen(exclusive->local());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::unavailable);
    EXPECT_NE(refused.error().message().find(exclusive->local().to_string()), std::string::npos)
        << refused.error().message();

    auto shared = world_.listen(kLoopback, {.reuse_port = true}).value();
    EXPECT_TRUE(world_.listen(shared->local(), {.reuse_port = true}));
}

// Goal: after close the port is free at once.
TEST_F(ListenerTest, CloseFreesPort) {
    auto first = world_.listen(kLoopback).value();
    const Address address = first->local();
    first->close();
    first->close();
    EXPECT_TRUE(world_.listen(address));
}

// Goal: a socket file left by a dead process is replaced; the new listener takes it away at its end.
TEST_F(ListenerTest, StaleUnixSocketIsReplacedAndRemoved) {
    const auto path = folder_.file("stale");
    leave_stale_socket(path);
    {
        auto listener = world_.listen(Address::unix_socket(path));
        ASSERT_TRUE(listener) << listener.error().message();
        EXPECT_TRUE(loop_.run_until_done(world_.connect(context_, Address::unix_socket(path))));
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

// Goal: a socket that somebody listens on, and a file that is no socket, are left alone.
TEST_F(ListenerTest, LiveUnixSocketAndOtherFilesAreKept) {
    const auto live = Address::unix_socket(folder_.file("live"));
    auto listener = world_.listen(live).value();
    const auto second = world_.listen(live);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), Kind::unavailable);
    EXPECT_TRUE(loop_.run_until_done(world_.connect(context_, live))) << "the first still listens";

    const auto path = folder_.file("precious");
    std::ofstream(path) << "precious";
    EXPECT_FALSE(world_.listen(Address::unix_socket(path)));
    EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

// Goal: a listener removes only the socket file it made, not its successor's.
TEST_F(ListenerTest, CloseKeepsSuccessorsSocketFile) {
    const auto address = Address::unix_socket(folder_.file("s"));
    auto first = world_.listen(address).value();
    std::filesystem::remove(address.path);
    auto second = world_.listen(address).value();
    first.reset();
    EXPECT_TRUE(loop_.run_until_done(world_.connect(context_, address)));
}

// Goal: paths that are too long or not there are errors with the reason.
TEST_F(ListenerTest, ImpossibleAddressIsError) {
    EXPECT_EQ(world_.listen(Address::unix_socket(std::string(200, 'x'))).error().kind(), Kind::invalid);
    EXPECT_EQ(world_.listen(Address::unix_socket(folder_.file("no/such/folder"))).error().kind(), Kind::unavailable);
    EXPECT_EQ(world_.listen(Address::tcp("192.0.2.1", 0)).error().kind(), Kind::unavailable)
        << "not an address of this machine";
}

// Goal: a waiting accept ends with its context, and with the listener, closed or destroyed.
TEST_F(ListenerTest, AcceptEndsWithContextAndListener) {
    auto body = [](Context& ctx) -> task<void> {
        auto listener = ctx.world().listen(kLoopback).value();
        Context brief(ctx, 2ms);
        EXPECT_EQ((co_await listener->accept(brief)).error().kind(), Kind::deadline_exceeded);
        for (const bool destroying : {false, true}) {
            AcceptOutcome outcome;
            Scope scope(ctx);
            if (destroying) listener = ctx.world().listen(kLoopback).value();
            scope.spawn(Tasks::accept(ctx, *listener, outcome));
            if (destroying) {
                listener.reset();
            } else {
                listener->close();
            }
            EXPECT_FALSE(outcome.has_value());
            co_await scope.join();
            EXPECT_EQ(outcome->error().kind(), Kind::unavailable);
            if (!destroying) EXPECT_EQ((co_await listener->accept(ctx)).error().kind(), Kind::unavailable);
        }
    };
    loop_.run_until_done(body(context_));
}

// Goal: a task destroyed while it accepts loses no connection.
TEST_F(ListenerTest, DestroyAcceptingTaskLosesNothing) {
    auto body = [](Context& ctx) -> task<Result<void>> {
        auto listener = co_await must(ctx.world().listen(kLoopback));
        {
            AcceptOutcome never;
            Scope scope(ctx);
            scope.spawn(Tasks::accept(ctx, *listener, never));
            co_await several_turns(ctx.world());
        }
        auto client = co_await must(ctx.world().connect(ctx, listener->local()));
        co_await several_turns(ctx.world());
        auto server = co_await must(listener->accept(ctx));
        co_return {};
    };
    EXPECT_TRUE(loop_.run_until_done(body(context_)));
}

// Goal: running out of file descriptors is waited out, not reported, and does not spin.
TEST_F(ListenerTest, OutOfDescriptorsIsWaitedOut) {
    auto body = [](Context& ctx) -> task<Result<void>> {
        auto listener = co_await must(ctx.world().listen(kLoopback));
        auto client = co_await must(ctx.world().connect(ctx, listener->local()));
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        const int probe = ::dup(0); // the lowest free descriptor
        ::close(probe);
        const rlimit exhausted{static_cast<rlim_t>(probe), limit.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &exhausted);
        AcceptOutcome outcome;
        Scope scope(ctx);
        scope.spawn(Tasks::accept(ctx, *listener, outcome));
        const Duration before = cpu_time();
        EXPECT_TRUE(co_await sleep_for(ctx, 50ms)); // more than one pause of the accept loop
        EXPECT_LT(cpu_time() - before, 25ms) << "accept must pause";
        EXPECT_FALSE(outcome.has_value());
        ::setrlimit(RLIMIT_NOFILE, &limit);
        co_await scope.join();
        EXPECT_TRUE(outcome->has_value());
        co_return {};
    };
    EXPECT_TRUE(loop_.run_until_done(body(context_)));
}

// Goal: refused and unknown addresses are `unavailable` and say where and why.
TEST_F(ListenerTest, ConnectRefusedIsUnavailable) {
    auto closed = world_.listen(kLoopback).value()->local();
    const auto refused = loop_.run_until_done(world_.connect(context_, closed));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::unavailable);
    EXPECT_NE(refused.error().message().find(closed.to_string() + ": Connection refused"), std::string::npos)
        << refused.error().message();
    const auto missing = Address::unix_socket(folder_.file("missing"));
    EXPECT_EQ(loop_.run_until_done(world_.connect(context_, missing)).error().kind(), Kind::unavailable);
    const auto unknown = loop_.run_until_done(world_.connect(context_, Address::tcp("no-such-host.invalid", 80)));
    EXPECT_EQ(unknown.error().kind(), Kind::unavailable);
    EXPECT_NE(unknown.error().message().find("no-such-host.invalid"), std::string::npos);
}

// Goal: a name is looked up, and each of its addresses tried (localhost may be ::1 first, where nobody listens).
TEST_F(ListenerTest, ConnectByNameTriesEachAddress) {
    auto listener = world_.listen(kLoopback).value();
    auto stream = loop_.run_until_done(world_.connect(context_, Address::tcp("localhost", listener->local().port)));
    ASSERT_TRUE(stream) << stream.error().message();
    EXPECT_EQ((*stream)->peer(), listener->local());
}

// Goal: a connect that gets no answer ends with its deadline, and one that is cancelled before starts nothing.
TEST_F(ListenerTest, ConnectWithoutAnswerEndsWithDeadline) {
    auto body = [](Context& ctx) -> task<void> {
        auto listener = ctx.world().listen(kLoopback, {.backlog = 0}).value();
        std::vector<std::unique_ptr<Stream>> streams;
        for (int i = 0; i < 10; ++i) {
            Context brief(ctx, 20ms);
            auto stream = co_await ctx.world().connect(brief, listener->local());
            if (!stream) { // the backlog is full: the system drops what comes
                EXPECT_EQ(stream.error().kind(), Kind::deadline_exceeded);
                Context passed(ctx, 0ms);
                EXPECT_EQ((co_await ctx.world().connect(passed, listener->local())).error().kind(),
                          Kind::deadline_exceeded);
                co_return;
            }
            streams.push_back(std::move(*stream));
        }
        ADD_FAILURE() << "a backlog of 0 took " << streams.size() << " connections";
    };
    loop_.run_until_done(body(context_));
}

// Goal: a Unix socket with a full backlog is tried again until there is room; the deadline holds meanwhile.
TEST_F(ListenerTest, FullUnixBacklogIsTriedAgain) {
    auto body = [](Context& ctx, Address address) -> task<void> {
        auto listener = ctx.world().listen(address, {.backlog = 0}).value();
        auto first = co_await ctx.world().connect(ctx, address);
        EXPECT_TRUE(first);
        Context brief(ctx, 3ms);
        EXPECT_EQ((co_await ctx.world().connect(brief, address)).error().kind(), Kind::deadline_exceeded);
        AcceptOutcome second;
        Scope scope(ctx);
        scope.spawn(Tasks::connect(ctx, address, second));
        EXPECT_FALSE(second.has_value());
        EXPECT_TRUE(co_await listener->accept(ctx));
        co_await scope.join();
        EXPECT_TRUE(second->has_value());
    };
    loop_.run_until_done(body(context_, Address::unix_socket(folder_.file("s"))));
}

// Goal: a connecting task may be destroyed at any time.
TEST_F(ListenerTest, DestroyConnectingTaskIsSafe) {
    auto body = [](Context& ctx) -> task<void> {
        auto listener = ctx.world().listen(kLoopback).value();
        for (const std::string host : {"127.0.0.1", "localhost"}) {
            AcceptOutcome never;
            {
                Scope scope(ctx);
                scope.spawn(Tasks::connect(ctx, Address::tcp(host, listener->local().port), never));
            }
            co_await several_turns(ctx.world());
            EXPECT_FALSE(never.has_value());
        }
    };
    loop_.run_until_done(body(context_));
}

/// What a connection of this process between two ports is set to.
int option_of(const Address& from, const Address& to, int level, int option) {
    for (int fd = 0; fd < 1024; ++fd) {
        detail::SocketAddress own, peer;
        if (::getsockname(fd, own.data(), &own.length) != 0 || ::getpeername(fd, peer.data(), &peer.length) != 0)
            continue;
        if (detail::from_socket(own) != from || detail::from_socket(peer) != to) continue;
        int value = -1;
        socklen_t size = sizeof(value);
        EXPECT_EQ(::getsockopt(fd, level, option, &value, &size), 0);
        return value;
    }
    ADD_FAILURE() << "no connection from " << from.to_string() << " to " << to.to_string();
    return -1;
}

// Goal: both ends of a TCP connection probe a silent peer, and what a client sends to one that vanished is not repeated
// for minutes; a server waits for a client that reads slowly.
TEST_F(ListenerTest, TcpPeersThatVanishAreNoticed) {
    auto listener = world_.listen(kLoopback).value();
    const Address server = listener->local();
    AcceptOutcome accepted;
    Scope scope(context_);
    scope.spawn(Tasks::accept(context_, *listener, accepted));
    const auto connected = loop_.run_until_done(world_.connect(context_, server)).value();
    loop_.run_until_done(scope.join());
    const Address client = (*accepted)->get()->peer();
    for (const auto& [from, to] : {std::pair(client, server), std::pair(server, client)}) {
        EXPECT_EQ(option_of(from, to, IPPROTO_TCP, TCP_NODELAY), 1);
        EXPECT_EQ(option_of(from, to, SOL_SOCKET, SO_KEEPALIVE), 1);
        EXPECT_EQ(option_of(from, to, IPPROTO_TCP, TCP_KEEPIDLE), detail::kKeepAliveIdleSeconds);
        EXPECT_EQ(option_of(from, to, IPPROTO_TCP, TCP_KEEPINTVL), detail::kKeepAliveIntervalSeconds);
        EXPECT_EQ(option_of(from, to, IPPROTO_TCP, TCP_KEEPCNT), detail::kKeepAliveProbes);
    }
    EXPECT_EQ(option_of(client, server, IPPROTO_TCP, TCP_USER_TIMEOUT), detail::kUnacknowledgedMillisecondsMax);
    EXPECT_EQ(option_of(server, client, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

} // namespace
} // namespace flotilla::listener_test
