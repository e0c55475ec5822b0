#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/conformance/test_support.hpp>

/// The suite that every driver of the bus must pass, with channel_conformance.hpp. Include both in one test file and
/// instantiate BusConformance with the drivers' cases. For tests only.
namespace flotilla::bus_testing {

/// What stands behind a driver while a test runs.
class BusServer {
public:
    virtual ~BusServer() = default;
    virtual std::string url() const = 0;
    /// Goes away and comes back with its data. Only where BusCase::restarts.
    virtual void restart() {}
    /// Loses everything. Only where BusCase::wipes.
    virtual void wipe() {}
    /// A bare payload on a pub/sub channel, as another program publishes it; how many heard it.
    virtual task<std::size_t> publish_on_channel(Context& context, std::string channel, std::string payload) = 0;
};

struct BusCase {
    std::string name;
    BusFeatures features; ///< what the driver must claim
    bool restarts = false;
    bool wipes = false;
    std::function<std::unique_ptr<BusServer>()> start; ///< null: this machine does not have it
};

inline void PrintTo(const BusCase& bus_case, std::ostream* out) { *out << bus_case.name; }

class BusConformance : public testing::TestWithParam<BusCase> {
protected:
    void SetUp() override {
        server_ = GetParam().start();
        if (!server_) GTEST_SKIP() << GetParam().name << " is not on this machine";
    }
    /// Runs the body with an open bus.
    void run(task<void> (*body)(Context&, Bus&, BusServer&)) {
        Loop loop;
        Context root(loop.world());
        Context context(root, std::chrono::seconds(60));
        auto bus = want(open_bus(loop.world(), server_->url()));
        EXPECT_EQ(bus->features().durable, GetParam().features.durable);
        loop.run_until_done(body(context, *bus, *server_));
    }
    std::unique_ptr<BusServer> server_;
};

inline task<std::unique_ptr<Subscription>> join(Context& context, Bus& bus, std::string topic, std::string group,
                                                std::string consumer) {
    co_return want(co_await bus.subscribe(context, std::move(topic), 0, std::move(group), std::move(consumer)));
}

inline task<void> every_attribute(Context& context, Bus& bus, BusServer&) {
    Message sent = make_message("order.created", 7, "key with \"quotes\" and \r\n");
    sent.payload = "{\"text\":\"\xc3\xa9\"}";
    want(co_await bus.publish(context, {&sent, 1}));
    auto subscription = co_await join(context, bus, "order.created", "mail", "mail-1");
    const auto received = co_await receive_all(context, *subscription, 1);
    const Message& message = received[0].message;
    EXPECT_EQ(received[0].delivery_count, 1);
    EXPECT_EQ(message.topic, sent.topic);
    EXPECT_EQ(message.partition, sent.partition);
    EXPECT_EQ(message.key, sent.key);
    EXPECT_EQ(message.sequence, sent.sequence);
    EXPECT_EQ(message.id, sent.id);
    EXPECT_EQ(message.producer, sent.producer);
    EXPECT_EQ(message.time, sent.time);
    EXPECT_EQ(message.traceparent, sent.traceparent);
    EXPECT_EQ(message.payload, sent.payload);
}
// Goal: nothing of an event changes on its way.
TEST_P(BusConformance, DeliverAnyMessageKeepsEveryAttribute) { run(every_attribute); }

inline task<void> in_order(Context& context, Bus& bus, BusServer&) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    for (std::uint64_t first = 1; first <= 901; first += 300) {
        want(co_await bus.publish(context, make_messages("t", first, first + 299)));
    }
    std::uint64_t expected = 1;
    while (expected <= 1200) {
        const auto deliveries = want(co_await subscription->receive(context, 64));
        EXPECT_LE(deliveries.size(), 64u);
        for (const auto& delivery : deliveries)
            EXPECT_EQ(delivery.message.sequence, expected++);
        want(co_await subscription->acknowledge(context, tokens(deliveries)));
    }
}
// Goal: a partition's messages arrive in the order they were published, in bounded batches.
TEST_P(BusConformance, ReceiveManyBatchesKeepsOrder) { run(in_order); }

inline task<void> groups(Context& context, Bus& bus, BusServer&) {
    auto early = co_await join(context, bus, "t", "early", "c");
    want(co_await bus.publish(context, make_messages("t", 1, 3)));
    auto late = co_await join(context, bus, "t", "late", "c");
    EXPECT_EQ(sequences(co_await receive_all(context, *early, 3)), (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_EQ(sequences(co_await receive_all(context, *late, 3)), (std::vector<std::uint64_t>{1, 2, 3}));
}
// Goal: every group gets every message, also a group that joins later.
TEST_P(BusConformance, JoinAnotherGroupGetsEverythingKept) { run(groups); }

inline task<void> partitions(Context& context, Bus& bus, BusServer&) {
    const std::vector<Message> messages{make_message("t", 1, "a", "shop", 0), make_message("t", 1, "b", "shop", 1)};
    want(co_await bus.publish(context, messages));
    auto second = want(co_await bus.subscribe(context, "t", 1, "g", "c"));
    const auto received = co_await receive_all(context, *second, 1);
    EXPECT_EQ(received[0].message.key, "b");
    EXPECT_EQ(received[0].message.partition, 1u);
}
// Goal: a consumer of one partition does not see another's messages.
TEST_P(BusConformance, PublishToPartitionsKeepsThemApart) { run(partitions); }

inline task<void> given_back(Context& context, Bus& bus, BusServer&) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    want(co_await bus.publish(context, make_messages("t", 1, 4)));
    const auto first = co_await receive_all(context, *subscription, 3);
    want(co_await subscription->give_back(context, first[1].token, Duration::zero()));
    want(co_await subscription->give_back(context, first[0].token, Duration::zero()));
    const auto again = co_await receive_all(context, *subscription, 3);
    EXPECT_EQ(sequences(again), (std::vector<std::uint64_t>{1, 2, 4}));
    EXPECT_EQ(again[0].delivery_count, 2);
    EXPECT_EQ(again[1].delivery_count, 2);
    EXPECT_EQ(again[2].delivery_count, 1);
}
// Goal: what is given back comes first, in order, and says that it is not the first time.
TEST_P(BusConformance, GiveBackSomeComeAgainFirstAndCounted) { run(given_back); }

inline task<void> consumer_lost(Context& context, Bus& bus, BusServer&) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    want(co_await bus.publish(context, make_messages("t", 1, 5)));
    const auto first = co_await receive_all(context, *subscription, 4);
    const std::vector<std::string> handled{first[1].token};
    want(co_await subscription->acknowledge(context, handled));
    subscription.reset();
    subscription = co_await join(context, bus, "t", "g", "c");
    const auto again = co_await receive_all(context, *subscription, 4);
    EXPECT_EQ(sequences(again), (std::vector<std::uint64_t>{1, 3, 4, 5}));
    EXPECT_EQ(again[0].delivery_count, 2);
    EXPECT_EQ(again[3].delivery_count, 1);
    want(co_await subscription->acknowledge(context, tokens(again)));
    subscription.reset();
    subscription = co_await join(context, bus, "t", "g", "c");
    want(co_await bus.publish(context, make_messages("t", 6, 6)));
    EXPECT_EQ(sequences(co_await receive_all(context, *subscription, 1)), (std::vector<std::uint64_t>{6}));
}
// Goal: what a lost consumer left unacknowledged comes again in order; what it acknowledged does not.
TEST_P(BusConformance, LoseConsumerRedeliversUnacknowledgedOnly) { run(consumer_lost); }

inline task<void> collect(Context& context, Subscription& subscription, std::size_t count,
                          std::vector<std::uint64_t>& into) {
    into = sequences(co_await receive_all(context, subscription, count));
}
inline task<void> single_active(Context& context, Bus& bus, BusServer&) {
    auto active = co_await join(context, bus, "t", "g", "one");
    want(co_await bus.publish(context, make_messages("t", 1, 2)));
    const auto first = co_await receive_all(context, *active, 1);
    auto waiting = co_await join(context, bus, "t", "g", "two");
    Scope scope(context);
    std::vector<std::uint64_t> taken_over;
    scope.spawn(collect(scope.context(), *waiting, 3, taken_over));
    EXPECT_EQ(sequences(co_await receive_all(context, *active, 1)), (std::vector<std::uint64_t>{2}));
    EXPECT_TRUE(taken_over.empty());
    want(co_await active->acknowledge(context, tokens(first)));
    active.reset();
    want(co_await bus.publish(context, make_messages("t", 3, 4)));
    co_await scope.join();
    EXPECT_EQ(taken_over, (std::vector<std::uint64_t>{2, 3, 4}));
}
// Goal: one consumer of a group is active per partition; another takes over, pending messages first, when it goes.
TEST_P(BusConformance, LeaveActiveConsumerHandsPartitionOver) { run(single_active); }

inline task<void> waits(Context& context, Bus& bus, BusServer&) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    Scope scope(context);
    std::vector<std::uint64_t> received;
    scope.spawn(collect(scope.context(), *subscription, 1, received));
    want(co_await bus.publish(context, make_messages("t", 1, 1)));
    co_await scope.join();
    EXPECT_EQ(received, (std::vector<std::uint64_t>{1}));
}
// Goal: a waiting consumer wakes when something is published.
TEST_P(BusConformance, ReceiveBeforePublishWakesUp) { run(waits); }

inline task<void> cancelled(Context& context, Bus& bus, BusServer&) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    Context brief(context, std::chrono::milliseconds(20));
    const auto nothing = co_await subscription->receive(brief, 1);
    EXPECT_FALSE(nothing.has_value());
    if (!nothing) EXPECT_EQ(nothing.error().kind(), Kind::deadline_exceeded);
    want(co_await bus.publish(context, make_messages("t", 1, 2)));
    EXPECT_EQ(sequences(co_await receive_all(context, *subscription, 2)), (std::vector<std::uint64_t>{1, 2}));
}
// Goal: a receive that its caller gives up says so, and loses nothing.
TEST_P(BusConformance, CancelReceiveLosesNothing) { run(cancelled); }

inline task<void> last_sequences(Context& context, Bus& bus, BusServer&) {
    EXPECT_EQ(want(co_await bus.last_sequence(context, "t", 0, "shop")), 0u);
    want(co_await bus.publish(context, make_messages("t", 1, 700)));
    const std::vector<Message> others{make_message("t", 3, "k", "other"), make_message("t", 9, "k", "shop", 1)};
    want(co_await bus.publish(context, others));
    EXPECT_EQ(want(co_await bus.last_sequence(context, "t", 0, "shop")), 700u);
    EXPECT_EQ(want(co_await bus.last_sequence(context, "t", 0, "other")), 3u);
    EXPECT_EQ(want(co_await bus.last_sequence(context, "t", 1, "shop")), 9u);
    EXPECT_EQ(want(co_await bus.last_sequence(context, "t", 0, "nobody")), 0u);
}
// Goal: a publisher learns how far the bus has its events, per topic, partition and producer.
TEST_P(BusConformance, AskLastSequenceTellsTheHighestOfTheProducer) { run(last_sequences); }

inline task<void> large(Context& context, Bus& bus, BusServer&) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    std::vector<Message> messages = make_messages("t", 1, 6);
    for (auto& message : messages)
        message.payload = "\"" + std::string(1024 * 1024, static_cast<char>('a' + message.sequence)) + "\"";
    want(co_await bus.publish(context, messages));
    const auto received = co_await receive_all(context, *subscription, 6);
    for (std::size_t i = 0; i < 6; ++i)
        EXPECT_TRUE(received[i].message.payload == messages[i].payload) << i;
}
// Goal: messages of 1 MiB arrive whole, several in one go.
TEST_P(BusConformance, PublishLargeMessagesArriveWhole) { run(large); }

inline task<void> many_topics(Context& context, Bus& bus, BusServer&) {
    constexpr int kTopics = 300;
    std::vector<Message> messages;
    for (int i = 0; i < kTopics; ++i)
        messages.push_back(make_message("topic." + std::to_string(i), 1, std::to_string(i)));
    want(co_await bus.publish(context, messages));
    std::vector<std::unique_ptr<Subscription>> subscriptions;
    for (int i = 0; i < kTopics; ++i)
        subscriptions.push_back(co_await join(context, bus, "topic." + std::to_string(i), "g", "c"));
    for (int i = 0; i < kTopics; ++i) {
        const auto received = co_await receive_all(context, *subscriptions[static_cast<std::size_t>(i)], 1);
        EXPECT_EQ(received[0].message.key, std::to_string(i));
    }
}
// Goal: hundreds of topics live beside each other.
TEST_P(BusConformance, SubscribeToManyTopicsGetsEachItsOwn) { run(many_topics); }

inline task<void> publish_one(Context& context, Bus& bus, std::uint64_t n) {
    const auto message = make_message("t", 1, "k", "producer-" + std::to_string(n));
    want(co_await bus.publish(context, {&message, 1}));
}
inline task<void> concurrent(Context& context, Bus& bus, BusServer&) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    Scope scope(context);
    for (std::uint64_t n = 0; n < 200; ++n)
        scope.spawn(publish_one(scope.context(), bus, n));
    const auto received = co_await receive_all(context, *subscription, 200);
    co_await scope.join();
    std::set<std::string> producers;
    for (const auto& delivery : received)
        producers.insert(delivery.message.producer);
    EXPECT_EQ(producers.size(), 200u);
}
// Goal: calls made at the same time all arrive.
TEST_P(BusConformance, PublishConcurrentlyDeliversAll) { run(concurrent); }

inline task<void> restarted(Context& context, Bus& bus, BusServer& server) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    want(co_await bus.publish(context, make_messages("t", 1, 3)));
    const auto first = co_await receive_all(context, *subscription, 2);
    const std::vector<std::string> handled{first[0].token};
    want(co_await subscription->acknowledge(context, handled));
    server.restart();
    co_await publish_all(context, bus, make_messages("t", 4, 5));
    // 2 was handed out and is still ours; a driver may hand it out once more.
    std::set<std::uint64_t> seen{2};
    while (seen.size() < 4) {
        auto some = co_await receive_all(context, *subscription, 1);
        seen.insert(some[0].message.sequence);
    }
    EXPECT_EQ(seen, (std::set<std::uint64_t>{2, 3, 4, 5}));
    EXPECT_TRUE(bus.health().has_value());
}
// Goal: a bus that restarts keeps what it accepted, and its users find it again by themselves.
TEST_P(BusConformance, RestartServerGoesOnWithoutLoss) {
    if (!GetParam().restarts) GTEST_SKIP() << "in-process";
    run(restarted);
}

inline task<void> wiped(Context& context, Bus& bus, BusServer& server) {
    auto subscription = co_await join(context, bus, "t", "g", "c");
    want(co_await bus.publish(context, make_messages("t", 1, 5)));
    co_await receive_all(context, *subscription, 2);
    server.wipe();
    auto lost = co_await bus.last_sequence(context, "t", 0, "shop");
    while (!lost)
        lost = co_await bus.last_sequence(context, "t", 0, "shop");
    EXPECT_EQ(*lost, 0u);
    co_await publish_all(context, bus, make_messages("t", 6, 7));
    EXPECT_EQ(sequences(co_await receive_all(context, *subscription, 2)), (std::vector<std::uint64_t>{6, 7}));
}
// Goal: after a bus lost its data publishers can tell, and consumers go on with what comes.
TEST_P(BusConformance, WipeServerIsNoticedAndSurvived) {
    if (!GetParam().wipes) GTEST_SKIP() << "cannot be wiped here";
    run(wiped);
}

} // namespace flotilla::bus_testing
