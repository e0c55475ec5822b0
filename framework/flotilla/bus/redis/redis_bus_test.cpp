#include <gtest/gtest.h>

#include <flotilla/bus/conformance/event_fixture.hpp>
#include <flotilla/bus/conformance/redis_server.hpp>
#include <flotilla/bus/redis/redis_connection.hpp>
#include <flotilla/bus/redis/stream_trim.hpp>

namespace flotilla::redis_bus_test {
namespace {

using namespace bus_testing;

class RedisBusTest : public testing::Test {
protected:
    void SetUp() override {
        if (!RedisServer::present()) GTEST_SKIP() << "no redis-server on this machine";
    }
};

task<void> plain_subscriber(Context& context, const RedisServer& server) {
    auto stream = want(co_await context.world().connect(context, Address::unix_socket(server.socket())));
    const RedisCommands subscribe{"SUBSCRIBE", "user.created"};
    std::string bytes = RedisCommands(subscribe).bytes();
    want(co_await stream->write(context, bytes));
    resp::Parser parser;
    std::vector<resp::Value> heard;
    std::array<char, 4096> buffer;
    auto bus = want(open_bus(context.world(), server.url()));
    while (heard.size() < 2) {
        parser.feed({buffer.data(), want(co_await stream->read(context, buffer))});
        while (auto value = want(parser.next()))
            heard.push_back(std::move(*value));
        if (heard.size() != 1) continue;
        auto message = make_message("user.created", 1);
        message.payload = R"({"id":"u-1"})";
        want(co_await bus->publish(context, {&message, 1}));
    }
    EXPECT_EQ(heard[1].items.at(0).text, "message");
    EXPECT_EQ(heard[1].items.at(1).text, "user.created");
    EXPECT_EQ(heard[1].items.at(2).text, R"({"id":"u-1"})" + std::string("\t\r\n\t"));
}
// Goal: a plain Redis subscriber hears the bare payload on the channel named like the topic; white space behind it says
// that it is a copy of the stream's.
TEST_F(RedisBusTest, PublishIsHeardByPlainSubscriber) {
    const RedisServer server;
    run_bounded(plain_subscriber, server);
}

task<void> listen_until_cancelled(Context& context, ChannelSubscription& channel) {
    while (!context.cancelled())
        (void)co_await channel.receive(context);
}

task<void> lease_lost(Context& context, const RedisServer& server) {
    auto bus = want(open_bus(context.world(), server.url()));
    RedisConnection connection(context.world(), {.address = Address::unix_socket(server.socket())});
    auto channel = bus->listen("t", "g", "one");
    Scope scope(context);
    scope.spawn(listen_until_cancelled(scope.context(), *channel));
    const auto listeners = [&] { return connection.call_one(context, RedisCommands{"PUBLISH", "t", "1"}); };
    while (want(co_await listeners()).integer != 1)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    want(co_await connection.call_one(context, RedisCommands{"SET", "flotilla:lease:g:channel:t", "two"}));
    while (want(co_await listeners()).integer != 0)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    want(co_await connection.call_one(context, RedisCommands{"DEL", "flotilla:lease:g:channel:t"}));
    while (want(co_await listeners()).integer != 1)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    scope.cancel(Error(Kind::cancelled, "the test ends"));
    co_await scope.join();
}
// Goal: a listener whose lease went to another is no longer subscribed, so that nothing piles up for it, until it is
// its turn again.
TEST_F(RedisBusTest, LoseLeaseUnsubscribes) {
    const RedisServer server;
    run_bounded(lease_lost, server);
}

task<void> full(Context& context, const RedisServer& server) {
    auto bus = want(open_bus(context.world(), server.url()));
    std::optional<Error> refused;
    for (std::uint64_t n = 1; n < 100 && !refused; ++n) {
        auto message = make_message("t", n);
        message.payload = "\"" + std::string(256 * 1024, 'x') + "\"";
        if (auto published = co_await bus->publish(context, {&message, 1}); !published) refused = published.error();
    }
    EXPECT_TRUE(refused.has_value());
    if (refused) EXPECT_EQ(refused->kind(), Kind::unavailable) << refused->message();
}
// Goal: a full server refuses, which publishers may wait out; nothing is pushed out.
TEST_F(RedisBusTest, PublishToFullServerIsUnavailable) {
    const RedisServer server({"--maxmemory", "4mb", "--maxmemory-policy", "noeviction"});
    run_bounded(full, server);
}

task<void> strangers(Context& context, const RedisServer& server) {
    auto bus = want(open_bus(context.world(), server.url()));
    RedisConnection connection(context.world(), {.address = Address::unix_socket(server.socket())});
    want(co_await connection.call_one(
        context, RedisCommands{"XADD", "flotilla:{t}:0", "1700000000123-4", "data", "{\"a\":1}", "odd", "field"}));
    auto subscription = want(co_await bus->subscribe(context, "t", 0, "g", "c"));
    const auto received = co_await receive_all(context, *subscription, 1);
    EXPECT_EQ(received[0].message.payload, "{\"a\":1}");
    EXPECT_EQ(received[0].message.topic, "t");
    EXPECT_EQ(received[0].message.sequence, 0u);
    EXPECT_EQ(received[0].message.id, "t-0-1700000000123-4");
    EXPECT_EQ(received[0].message.time.to_string(), "2023-11-14T22:13:20.123Z");
}
// Goal: an entry that another program added reaches the consumer instead of blocking the stream; it has an id, the same
// whenever it comes, and a time.
TEST_F(RedisBusTest, ReceiveForeignEntryDeliversItsData) {
    const RedisServer server;
    run_bounded(strangers, server);
}

task<std::int64_t> length(Context& context, RedisConnection& connection) {
    co_return want(co_await connection.call_one(context, RedisCommands{"XLEN", "flotilla:{t}:0"})).integer;
}
task<void> trimmed(Context& context, const RedisServer& server) {
    auto bus = want(open_bus(context.world(), server.url()));
    RedisConnection connection(context.world(), {.address = Address::unix_socket(server.socket())});
    auto slow = want(co_await bus->subscribe(context, "t", 0, "slow", "c"));
    auto fast = want(co_await bus->subscribe(context, "t", 0, "fast", "c"));
    const auto last = StreamTrimmer::kEntriesKept + StreamTrimmer::kInterval;
    want(co_await bus->publish(context, make_messages("t", 1, last)));
    EXPECT_EQ(co_await length(context, connection), static_cast<std::int64_t>(last)) << "nobody has read it";
    for (auto* subscription : {slow.get(), fast.get()}) {
        const auto all = co_await receive_all(context, *subscription, last);
        // The slow group keeps one early message to itself.
        auto handled = tokens(all);
        if (subscription == slow.get()) handled.erase(handled.begin() + 4999);
        want(co_await subscription->acknowledge(context, handled));
    }
    want(co_await bus->publish(context, make_messages("t", last + 1, last + StreamTrimmer::kInterval)));
    const auto left = co_await length(context, connection);
    EXPECT_LE(left, static_cast<std::int64_t>(last + StreamTrimmer::kInterval - 4000)) << "in whole nodes of 100";
    EXPECT_GE(left, static_cast<std::int64_t>(last + StreamTrimmer::kInterval - 4999))
        << "the 5000th is not acknowledged";
    slow = want(co_await bus->subscribe(context, "t", 0, "slow", "c"));
    EXPECT_EQ(sequences(co_await receive_all(context, *slow, 1)), (std::vector<std::uint64_t>{5000}));
}
// Goal: a stream is trimmed, and only below what the slowest group still needs.
TEST_F(RedisBusTest, PublishManyTrimsBelowSlowestGroup) {
    const RedisServer server({"--appendfsync", "no"});
    run_bounded(trimmed, server);
}

task<void> flow_through_failures(Context& context, RedisServer& server, void (RedisServer::*failure)()) {
    EventFixture shop(context, server.url());
    co_await shop.open();
    Running relay(context, shop.make_relay());
    Running consumer(context, shop.make_consumer());
    for (std::size_t round = 1; round <= 5; ++round) {
        co_await shop.place({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
        co_await shop.until_effects(round * 10 - 7);
        (server.*failure)();
    }
    co_await shop.until_effects(50);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 50));
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: a server killed while events flow costs none and repeats no effect.
TEST_F(RedisBusTest, KillServerWhileEventsFlowLosesNothing) {
    RedisServer server;
    run_bounded(flow_through_failures, server, &RedisServer::restart);
}
// Goal: a server that comes back with an empty disk costs no event either.
TEST_F(RedisBusTest, WipeServerWhileEventsFlowLosesNothing) {
    RedisServer server;
    run_bounded(flow_through_failures, server, &RedisServer::wipe);
}

} // namespace
} // namespace flotilla::redis_bus_test
