#include <flotilla/bus/conformance/event_fixture.hpp>
#include <flotilla/bus/outbox_store.hpp>
#include <flotilla/bus/redrive.hpp>

#include <gtest/gtest.h>

namespace flotilla::bus_testing::outbox_test {
namespace {

task<void> committed_only(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running relay(context, shop.make_relay());
    const auto refused = co_await shop.publisher->transact(context, [](Transaction& transaction) -> Result<void> {
        publish_event(transaction, "order.created", 0, "lost", "{}");
        return Error(Kind::conflict, "not today");
    });
    EXPECT_FALSE(refused.has_value());
    co_await shop.place({"a", "b"});
    co_await shop.place({"c"});
    co_await shop.until_accepted(3);
    EXPECT_EQ(shop.accepted_sequences(), numbers(1, 3));
    EXPECT_EQ(shop.bus->accepted[0].key, "a");
    EXPECT_EQ(shop.bus->accepted[0].producer, "shop");
    co_await relay.stop();
}
// Goal: what was committed is published, numbered from 1 in order; what was rolled back is not.
TEST(OutboxRelay, CommitEventsPublishesThemInOrder) { run_bounded(committed_only); }

task<void> crash_before_accepted(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    // They are numbered, and the relay ends before the bus has them.
    shop.bus->drop = [](const Message&) { return true; };
    shop.bus->lose_answers = true;
    co_await shop.place({"a", "b"});
    {
        Running relay(context, shop.make_relay());
        while (shop.bus->dropped < 2)
            want(co_await shop.bus->called.wait(context));
        co_await relay.stop();
    }
    EXPECT_TRUE(shop.bus->accepted.empty());
    shop.bus->drop = {};
    shop.bus->lose_answers = false;
    co_await shop.place({"c"});
    Running relay(context, shop.make_relay());
    co_await shop.until_accepted(3);
    EXPECT_EQ(shop.accepted_sequences(), numbers(1, 3));
    EXPECT_EQ(shop.bus->accepted[0].key, "a");
    EXPECT_EQ(shop.bus->accepted[2].key, "c");
    co_await relay.stop();
}
// Goal: a relay that ended after numbering goes on with the same numbers, in order, before newer events.
TEST(OutboxRelay, CrashBeforeAcceptedRepeatsTheSameNumbers) { run_bounded(crash_before_accepted); }

task<void> crash_after_accepted(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    shop.bus->lose_answers = true;
    co_await shop.place({"a", "b"});
    {
        Running relay(context, shop.make_relay());
        co_await shop.until_accepted(2);
        co_await relay.stop();
    }
    shop.bus->lose_answers = false;
    shop.bus->accepted.clear();
    Running relay(context, shop.make_relay());
    co_await shop.until_accepted(2);
    EXPECT_EQ(shop.accepted_sequences(), numbers(1, 2));
    co_await relay.stop();
}
// Goal: events whose acceptance was not heard are published again under the same numbers, so that inboxes drop them.
TEST(OutboxRelay, CrashBeforeMarkedRepeatsTheSameNumbers) { run_bounded(crash_after_accepted); }

task<void> bus_down(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running relay(context, shop.make_relay());
    co_await shop.place({"a"});
    co_await shop.until_accepted(1);
    shop.bus->down = true;
    co_await shop.place({"b", "c"});
    while (relay->statistics().last_error.empty())
        want(co_await shop.bus->called.wait(context));
    co_await shop.place({"d"});
    while (relay->statistics().waiting < 3)
        want(co_await shop.bus->called.wait(context));
    EXPECT_EQ(relay->statistics().last_error, "the bus is down");
    shop.bus->down = false;
    co_await shop.until_accepted(4);
    EXPECT_EQ(shop.accepted_sequences(), numbers(1, 4));
    co_await relay.stop();
    EXPECT_EQ(relay->statistics().waiting, 0);
    EXPECT_EQ(relay->statistics().last_error, "");
    const auto lines = shop.logged();
    EXPECT_EQ(lines.find("events wait in the outbox"), lines.rfind("events wait in the outbox")) << lines;
    EXPECT_NE(lines.find("events flow again"), std::string::npos) << lines;
}
// Goal: while the bus is down events wait and the relay says so, once; then they flow in order.
TEST(OutboxRelay, BusDownKeepsEventsUntilItReturns) { run_bounded(bus_down); }

task<void> bus_stays_down(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    shop.bus->down = true;
    Running relay(context, shop.make_relay({.retry_min = std::chrono::hours(1), .retry_max = std::chrono::hours(1)}));
    co_await shop.place({"a"});
    while (relay->statistics().last_error.empty())
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    for (std::int64_t count = 2; count <= 3; ++count) {
        co_await shop.place({"a"});
        while (relay->statistics().waiting < count)
            want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    }
    EXPECT_EQ(relay->statistics().waiting, 3);
    EXPECT_TRUE(shop.bus->accepted.empty());
    co_await relay.stop();
}
// Goal: events that come between two tries are counted at once, so that what /readyz says is true.
TEST(OutboxRelay, BusDownCountsNewEventsAtOnce) { run_bounded(bus_stays_down); }

double shown_lag(EventFixture& shop) {
    const auto text = shop.metrics.prometheus_text();
    const std::string name = "\nflotilla_outbox_lag_seconds ";
    return std::stod(text.substr(text.find(name) + name.size()));
}

task<void> bus_hangs(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running relay(context, shop.make_relay());
    shop.bus->hangs = true;
    co_await shop.place({"a"});
    while (!shop.bus->hanging)
        want(co_await shop.bus->called.wait(context));
    const double before = shown_lag(shop);
    want(co_await sleep_for(context, std::chrono::milliseconds(5)));
    EXPECT_GE(shown_lag(shop), before + 0.004);
    shop.bus->release();
    co_await shop.until_accepted(1);
    while (shown_lag(shop) > 0)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    co_await relay.stop();
}
// Goal: the lag of the outbox grows also while the bus neither answers nor refuses, and ends with it.
TEST(OutboxRelay, BusHangsShowsGrowingLag) { run_bounded(bus_hangs); }

task<void> lost_data(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running relay(context, shop.make_relay());
    co_await shop.place({"a", "b", "c"});
    co_await shop.until_accepted(3);
    co_await shop.place({"d"});
    co_await shop.until_accepted(4);
    shop.wipe_bus();
    co_await shop.until_accepted(8);
    EXPECT_EQ(want(co_await shop.bus->last_sequence(context, "order.created", 0, "shop")), 4u);
    co_await relay.stop();
}
// Goal: a bus that lost its data is filled again from the kept rows, though nothing new is published.
TEST(OutboxRelay, BusWipedPublishesKeptRowsAgain) { run_bounded(lost_data); }

task<void> asked_again(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running relay(context, shop.make_relay());
    co_await shop.place({"a", "b", "c", "d"});
    co_await shop.until_accepted(4);
    const std::array request{redrive_message(context.world(), "shop", "mail", {"order.created", 0, 2, 3})};
    want(co_await shop.bus->publish(context, request));
    co_await shop.until_accepted(7);
    EXPECT_EQ(shop.accepted_sequences(), (std::vector<std::uint64_t>{1, 2, 3, 4, 2, 3}));
    relay->redrive("order.created", 0, 4);
    co_await shop.until_accepted(8);
    EXPECT_EQ(shop.accepted_sequences().back(), 4u);
    co_await relay.stop();
}
// Goal: what a consumer asks for is published again, no more and no less.
TEST(OutboxRelay, AskForRangePublishesItAgain) { run_bounded(asked_again); }

task<void> set_back(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    want(co_await shop.bus->publish(context, make_messages("order.created", 1, 9)));
    Running relay(context, shop.make_relay());
    co_await shop.place({"a"});
    co_await shop.until_accepted(10);
    EXPECT_EQ(shop.accepted_sequences().back(), 10u);
    co_await relay.stop();
}
// Goal: a database that knows less than the bus does not use numbers again, which inboxes would drop.
TEST(OutboxRelay, BusAheadOfDatabaseNumbersGoOnAboveIt) { run_bounded(set_back); }

task<void> pruned(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    auto options = OutboxRelay::Options{.keep = Duration::zero(),
                                        .retry_min = std::chrono::milliseconds(1),
                                        .retry_max = std::chrono::milliseconds(20)};
    {
        Running relay(context, shop.make_relay(options));
        co_await shop.place({"a", "b"});
        co_await shop.until_accepted(2);
        co_await relay.stop();
    }
    shop.bus->down = true;
    co_await shop.place({"c"});
    want(co_await shop.publisher->transact(context, [](Transaction& transaction) {
        outbox::next_round(transaction, {{"order.created", 0, 1, 2}}, {}, 10);
        outbox::prune(transaction, transaction.now() + std::chrono::hours(1));
    }));
    const auto kept = want(
        co_await shop.publisher->select<std::string>(context, "SELECT key FROM flotilla_outbox ORDER BY position"));
    EXPECT_EQ(kept, (std::vector<std::string>{"c"}));
    shop.bus->down = false;
    Running relay(context, shop.make_relay(options));
    co_await shop.until_accepted(3);
    EXPECT_EQ(shop.accepted_sequences(), numbers(1, 3));
    co_await relay.stop();
}
// Goal: rows leave when they are old and published, never before; numbers go on.
TEST(OutboxStore, PruneRemovesOldPublishedRowsOnly) { run_bounded(pruned); }

task<void> left_behind(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    shop.bus->hangs = true;
    co_await shop.place({"a", "b"});
    {
        Running relay(context, shop.make_relay());
        while (!shop.bus->hanging) // they are numbered
            want(co_await shop.bus->called.wait(context));
        co_await relay.stop();
    }
    shop.bus->hangs = false;
    shop.bus->down = true;
    co_await shop.place({"c"});
    Running relay(context, shop.make_relay({.retry_min = std::chrono::milliseconds(1),
                                            .retry_max = std::chrono::milliseconds(20),
                                            .lag_max = std::chrono::milliseconds(1)}));
    while (relay->statistics().waiting < 3)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    EXPECT_GT(shown_lag(shop), 0);
    shop.bus->down = false;
    co_await shop.until_accepted(3);
    while (shown_lag(shop) > 0)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    EXPECT_EQ(relay->statistics().waiting, 0);
    co_await relay.stop();
}
// Goal: events that were numbered before a restart count as waiting until the bus has them.
TEST(OutboxRelay, EventsLeftFromBeforeCountAsWaiting) { run_bounded(left_behind); }

task<void> hangs_for_long(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running relay(context, shop.make_relay({.lag_max = std::chrono::milliseconds(20)}));
    EXPECT_TRUE(relay->health().has_value());
    shop.bus->hangs = true;
    co_await shop.place({"a"});
    while (relay->health())
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    EXPECT_TRUE(relay->health().error().message().starts_with("1 events wait, the oldest for "))
        << relay->health().error().message();
    shop.bus->release();
    while (!relay->health())
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    co_await relay.stop();
}
// Goal: a bus that neither takes events nor refuses them is a reason in /readyz, once they have waited too long.
TEST(OutboxRelay, BusHangsIsToldByHealth) { run_bounded(hangs_for_long); }

task<void> much_to_prune(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    want(co_await shop.publisher->transact(context, [](Transaction& transaction) {
        return transaction.execute(
            "INSERT INTO flotilla_outbox WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
            "15000) SELECT i, 'e-' || i, 'old', 0, 'k', i, 1, 't', '{}', 1 FROM n");
    }));
    const auto begun = context.world().monotonic();
    Running relay(context, shop.make_relay());
    std::int64_t left = 15000;
    while (left > 0) {
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
        left =
            want(co_await shop.publisher->select<std::int64_t>(context, "SELECT position FROM flotilla_outbox LIMIT 1"))
                    .empty()
                ? 0
                : 1;
    }
    EXPECT_LT(context.world().monotonic() - begun, std::chrono::seconds(10));
    co_await relay.stop();
}
// Goal: old rows leave faster than new ones can come, or the table would grow for ever.
TEST(OutboxRelay, PruneKeepsUp) { run_bounded(much_to_prune); }

task<void> holes(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    shop.bus->down = true;
    want(co_await shop.publisher->transact(context, [](Transaction& transaction) {
        return transaction.execute("INSERT INTO flotilla_outbox"
                                   " (position, event_id, topic, partition, key, occurred_at, traceparent, payload)"
                                   " VALUES (10, 'a', 'order.created', 0, 'a', 1, 't', '{}'),"
                                   " (25, 'b', 'order.created', 0, 'b', 1, 't', '{}'),"
                                   " (700, 'c', 'order.created', 0, 'c', 1, 't', '{}')");
    }));
    Running relay(context, shop.make_relay());
    while (relay->statistics().last_error.empty())
        want(co_await shop.bus->called.wait(context));
    EXPECT_EQ(relay->statistics().waiting, 3);
    co_await shop.place({"d"});
    while (relay->statistics().waiting < 4)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    shop.bus->down = false;
    co_await shop.until_accepted(4);
    EXPECT_EQ(shop.accepted_sequences(), numbers(1, 4));
    EXPECT_EQ(shop.bus->accepted[3].key, "d");
    while (relay->statistics().waiting > 0)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    co_await relay.stop();
}
// Goal: positions may have holes, as an engine leaves them: events are counted, not the distance between two.
TEST(OutboxRelay, HolesBetweenPositionsCountAsNothing) { run_bounded(holes); }

// Goal: rows are counted once each; one that commits behind a higher position is in the count again once all was seen.
TEST(OutboxBacklog, CountsEachRowOnce) {
    const auto round_of = [](std::vector<std::int64_t> positions, std::vector<std::int64_t> skipped, bool all) {
        outbox::Round round{.skipped = std::move(skipped), .all = all};
        for (const auto position : positions)
            round.rows.push_back({.position = position});
        return round;
    };
    outbox::Backlog backlog;
    backlog.counted({.rows = 3, .last = 30, .oldest = Timestamp(1)});
    backlog.counted({.rows = 2, .last = 50, .oldest = Timestamp(1)});
    EXPECT_EQ(backlog.waiting(), 5);
    EXPECT_EQ(backlog.counted_to(), 50);
    backlog.numbered(round_of({10, 15, 20}, {}, false)); // 15 came late
    EXPECT_EQ(backlog.waiting(), 2);
    EXPECT_EQ(backlog.counted_to(), 50);
    backlog.numbered(round_of({30, 40, 50, 60}, {70, 80}, true)); // 70 and 80 wait for their partition
    EXPECT_EQ(backlog.waiting(), 2);
    EXPECT_EQ(backlog.counted_to(), 80);
    backlog.numbered(round_of({70}, {90}, false));
    EXPECT_EQ(backlog.waiting(), 2);
    EXPECT_EQ(backlog.counted_to(), 90);
    backlog.counted({}); // nothing waits any more
    EXPECT_EQ(backlog.waiting(), 0);
    EXPECT_EQ(backlog.counted_to(), 0);
}

task<void> too_large(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    const auto refused = co_await shop.publisher->transact(context, [](Transaction& transaction) {
        publish_event(transaction, "order.created", 0, "k", "\"" + std::string(5 * 1024 * 1024, 'x') + "\"");
    });
    EXPECT_FALSE(refused.has_value());
    if (!refused) EXPECT_EQ(refused.error().code(), "event_too_large");
}
// Goal: an event that no bus would take is refused in its transaction instead of blocking the outbox for ever.
TEST(PublishEvent, TooLargePayloadIsRefused) { run_bounded(too_large); }

// Goal: the partition of a key never changes: events of a key stay in order across versions and languages.
TEST(PartitionOf, KnownKeysGiveKnownPartitions) {
    EXPECT_EQ(partition_of("", 1), 0u);
    EXPECT_EQ(partition_of("", 16), 0xcbf29ce484222325ULL % 16);
    EXPECT_EQ(partition_of("a", 1000), 0xaf63dc4c8601ec8cULL % 1000);
    EXPECT_EQ(partition_of("foobar", 1000), 0x85944171f73967e8ULL % 1000);
}

} // namespace
} // namespace flotilla::bus_testing::outbox_test
