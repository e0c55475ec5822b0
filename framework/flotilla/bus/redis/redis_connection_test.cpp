#include <flotilla/bus/redis/redis_connection.hpp>

#include <gtest/gtest.h>

#include <flotilla/bus/conformance/test_support.hpp>

namespace flotilla::redis_connection_test {
namespace {

using namespace bus_testing;
using namespace std::chrono_literals;

/// Speaks just enough: ECHO answers its argument, FAIL an error, SILENCE nothing, HANGUP ends the connection, LATER
/// answers when the next command comes.
class ScriptedServer {
public:
    ScriptedServer(World& world) : listener_(want(world.listen(Address::tcp("127.0.0.1", 0)))) {}
    RedisTarget target() const { return {.address = listener_->local()}; }
    int connections() const { return connections_; }
    Event postponed; ///< notified when LATER came

    task<void> serve(Context& context) {
        Scope scope(context);
        for (;;) {
            auto accepted = co_await listener_->accept(scope.context());
            if (!accepted) break;
            ++connections_;
            scope.spawn(converse(scope.context(), std::move(*accepted)));
        }
        co_await scope.join();
    }

private:
    task<void> converse(Context& context, std::unique_ptr<Stream> stream) {
        resp::CommandParser parser;
        std::string owed;
        std::array<char, 4096> buffer;
        for (;;) {
            const auto bytes = co_await stream->read(context, buffer);
            if (!bytes || *bytes == 0) co_return;
            parser.feed({buffer.data(), *bytes});
            while (auto command = want(parser.next())) {
                std::string reply = std::exchange(owed, {});
                if ((*command)[0] == "HANGUP") co_return;
                if ((*command)[0] == "ECHO") resp::write_bulk(reply, (*command)[1]);
                if ((*command)[0] == "FAIL") resp::write_error(reply, (*command)[1]);
                if ((*command)[0] == "LATER") {
                    resp::write_simple(owed, "at last");
                    postponed.notify();
                }
                if (!reply.empty()) want(co_await stream->write(context, reply));
            }
        }
    }

    std::unique_ptr<Listener> listener_;
    int connections_ = 0;
};

using Body = task<void> (*)(Context&, ScriptedServer&, RedisConnection&);

task<void> with_server(Context& context, Body body) {
    ScriptedServer server(context.world());
    RedisConnection connection(context.world(), server.target());
    Scope scope(context);
    scope.spawn(server.serve(scope.context()));
    std::exception_ptr failure;
    try {
        co_await body(context, server, connection);
    } catch (...) {
        failure = std::current_exception();
    }
    scope.cancel(Error(Kind::cancelled, "done"));
    co_await scope.join();
    if (failure) std::rethrow_exception(failure);
}

task<void> echo(Context& context, RedisConnection& connection, std::string text, std::string& answer) {
    RedisCommands commands;
    commands.add({"ECHO", text});
    commands.add({"ECHO", text + "!"});
    const auto replies = want(co_await connection.call(context, std::move(commands)));
    answer = replies.at(0).text + replies.at(1).text;
}

task<void> pipelined(Context& context, ScriptedServer& server, RedisConnection& connection) {
    std::vector<std::string> answers(100);
    Scope scope(context);
    for (std::size_t i = 0; i < answers.size(); ++i)
        scope.spawn(echo(scope.context(), connection, std::to_string(i), answers[i]));
    co_await scope.join();
    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(answers[i], std::to_string(i) + std::to_string(i) + "!");
    EXPECT_EQ(server.connections(), 1);
}
// Goal: callers at the same time share one connection and each gets its own replies.
TEST(RedisConnection, CallConcurrentlyEachGetsItsReplies) { run_bounded(with_server, pipelined); }

task<void> expect_unavailable(Context& context, RedisConnection& connection, std::string command, int& failures) {
    const auto replies = co_await connection.call(context, RedisCommands{command});
    EXPECT_FALSE(replies.has_value());
    if (!replies) EXPECT_EQ(replies.error().kind(), Kind::unavailable);
    ++failures;
}
task<void> hung_up(Context& context, ScriptedServer& server, RedisConnection& connection) {
    int failures = 0;
    Scope scope(context);
    scope.spawn(expect_unavailable(scope.context(), connection, "SILENCE", failures));
    scope.spawn(expect_unavailable(scope.context(), connection, "HANGUP", failures));
    scope.spawn(expect_unavailable(scope.context(), connection, "SILENCE", failures));
    co_await scope.join();
    EXPECT_EQ(failures, 3);
    EXPECT_FALSE(connection.health().has_value());
    std::string answer;
    co_await echo(context, connection, "again", answer);
    EXPECT_EQ(answer, "againagain!");
    EXPECT_TRUE(connection.health().has_value());
    EXPECT_EQ(server.connections(), 2);
}
// Goal: a connection that breaks fails everything in flight, and the next call opens a new one.
TEST(RedisConnection, ServerHangsUpFailsCallsInFlightAndReconnects) { run_bounded(with_server, hung_up); }

task<void> idle_broken(Context& context, ScriptedServer& server, RedisConnection& connection) {
    std::string answer;
    co_await echo(context, connection, "one", answer);
    int failures = 0;
    co_await expect_unavailable(context, connection, "HANGUP", failures);
    co_await echo(context, connection, "two", answer);
    EXPECT_EQ(answer, "twotwo!");
    EXPECT_EQ(server.connections(), 2);
}
// Goal: reconnecting needs no help.
TEST(RedisConnection, CallAfterBreakSucceeds) { run_bounded(with_server, idle_broken); }

task<void> silent(Context& context, ScriptedServer& server, RedisConnection& connection) {
    const auto replies = co_await connection.call(context, RedisCommands{"SILENCE"}, 20ms);
    EXPECT_FALSE(replies.has_value());
    if (!replies) EXPECT_EQ(replies.error().code(), "redis_timeout");
    std::string answer;
    co_await echo(context, connection, "x", answer);
    EXPECT_EQ(answer, "xx!");
    EXPECT_EQ(server.connections(), 2);
}
// Goal: a server that does not answer costs a bounded time and its connection.
TEST(RedisConnection, ServerSilentIsUnavailableAfterTimeout) { run_bounded(with_server, silent); }

task<void> given_up(Context& context, ScriptedServer& server, RedisConnection& connection) {
    {
        // The caller leaves while its reply is under way; the next must not take it for its own.
        Context impatient(context);
        Scope scope(impatient);
        int failures = 0;
        scope.spawn(expect_unavailable(scope.context(), connection, "LATER", failures));
        want(co_await server.postponed.wait(context));
        impatient.cancel(Error(Kind::unavailable, "no patience"));
        co_await scope.join();
        EXPECT_EQ(failures, 1);
    }
    std::string answer;
    co_await echo(context, connection, "mine", answer);
    EXPECT_EQ(answer, "minemine!");
    EXPECT_EQ(server.connections(), 1);
}
// Goal: a caller that gives up gets its context's reason and disturbs nobody.
TEST(RedisConnection, CancelCallKeepsOthersReplies) { run_bounded(with_server, given_up); }

task<void> refused(Context& context, ScriptedServer&, RedisConnection& connection) {
    const auto full = co_await connection.call_one(context, RedisCommands{"FAIL", "OOM command not allowed"});
    EXPECT_EQ(full.error().kind(), Kind::unavailable);
    EXPECT_EQ(full.error().code(), "redis_OOM");
    const auto unknown = co_await connection.call_one(context, RedisCommands{"FAIL", "ERR unknown command"});
    EXPECT_EQ(unknown.error().kind(), Kind::internal);
    EXPECT_TRUE(is_group_lost(redis_error("NOGROUP No such key")));
}
// Goal: what may pass is unavailable; what cannot work is internal.
TEST(RedisConnection, ErrorRepliesBecomeKinds) { run_bounded(with_server, refused); }

task<void> nobody_there(Context& context) {
    Address address;
    {
        const auto listener = want(context.world().listen(Address::tcp("127.0.0.1", 0)));
        address = listener->local();
    }
    RedisConnection connection(context.world(), {.address = address});
    const auto replies = co_await connection.call(context, RedisCommands{"PING"});
    EXPECT_FALSE(replies.has_value());
    if (!replies) EXPECT_EQ(replies.error().kind(), Kind::unavailable);
    EXPECT_FALSE(connection.health().has_value());
}
// Goal: a server that is not there is an error at once, not a wait for the deadline.
TEST(RedisConnection, NobodyListensIsUnavailable) { run_bounded(nobody_there); }

// Goal: URLs are read as people write them, and bad ones are refused without showing the password.
TEST(RedisTarget, ParseUrlsReadsAddressAndCredentials) {
    EXPECT_EQ(want(parse_redis_url("redis://127.0.0.1:6380")).address, Address::tcp("127.0.0.1", 6380));
    EXPECT_EQ(want(parse_redis_url("redis://cache")).address, Address::tcp("cache", 6379));
    EXPECT_EQ(want(parse_redis_url("redis+unix:/run/redis.sock")).address, Address::unix_socket("/run/redis.sock"));
    const auto full = want(parse_redis_url("redis://shop:p%40ss@[::1]:7000/3"));
    EXPECT_EQ(full.address, Address::tcp("::1", 7000));
    EXPECT_EQ(full.user, "shop");
    EXPECT_EQ(full.password, "p@ss");
    EXPECT_EQ(full.database, 3);
    for (const auto* bad : {"redis:", "redis://", "redis://h:port", "redis://user@h", "redis://:secret%zz@h",
                            "redis://:secret@h/x", "redis+unix:"}) {
        const auto refused = parse_redis_url(bad);
        EXPECT_FALSE(refused.has_value()) << bad;
        if (!refused)
            EXPECT_EQ(refused.error().message().find("secret"), std::string::npos) << refused.error().message();
    }
}

} // namespace
} // namespace flotilla::redis_connection_test
