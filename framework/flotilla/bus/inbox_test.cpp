#include <set>

#include <flotilla/bus/conformance/event_fixture.hpp>
#include <flotilla/bus/inbox_gaps.hpp>
#include <flotilla/bus/inbox_store.hpp>

#include <gtest/gtest.h>

namespace flotilla::bus_testing::inbox_test {
namespace {

std::vector<std::uint64_t> sequences_of_key(const std::vector<Effect>& effects, std::string_view key) {
    std::vector<std::uint64_t> found;
    for (const auto& effect : effects) {
        if (effect.key == key) found.push_back(effect.sequence);
    }
    return found;
}

std::vector<std::string> some_keys(std::size_t count) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i)
        keys.push_back("key-" + std::to_string(i % 7));
    return keys;
}

task<void> disturbed(Context& context, unsigned seed) {
    EventFixture shop(context);
    co_await shop.open();
    auto scrambled = std::mt19937(seed);
    shop.bus->duplicates_percent = 10;
    shop.bus->reorder_within = 64;
    Running relay(context, shop.make_relay({.batch = 32 + scrambled() % 200,
                                            .retry_min = std::chrono::milliseconds(1),
                                            .retry_max = std::chrono::milliseconds(20)}));
    Running consumer(context, shop.make_consumer());
    for (int i = 0; i < 5; ++i)
        co_await shop.place(some_keys(120));
    co_await shop.until_effects(600);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 600)) << "seed " << seed;
    std::set<std::string> ids;
    for (const auto& effect : co_await shop.effects())
        ids.insert(effect.event_id);
    EXPECT_EQ(ids.size(), 600u);
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: whatever is repeated and reordered on the way, each event has its effect once and in order.
TEST(Consumer, DuplicatesAndReorderingGiveTheEffectsOfACleanRun) {
    for (unsigned seed = 1; seed <= 8; ++seed)
        run_bounded(disturbed, seed);
}

task<void> lossy(Context& context, unsigned seed) {
    EventFixture shop(context);
    co_await shop.open();
    auto random = std::make_shared<std::mt19937>(seed);
    // Not the last one, or no later one would show the gap.
    shop.bus->drop = [random](const Message& message) {
        return message.topic == "order.created" && message.key != "last" && (*random)() % 10 == 0;
    };
    Running relay(context, shop.make_relay());
    Running consumer(context, shop.make_consumer());
    for (int i = 0; i < 5; ++i)
        co_await shop.place(some_keys(60));
    co_await shop.place({"last"});
    co_await shop.until_effects(301);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 301)) << "seed " << seed;
    EXPECT_GT(consumer->statistics().gaps, 0u);
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: what a bus loses in between is asked for again and handled in its turn.
TEST(Consumer, LostEventsAreDrivenAgainInOrder) {
    for (unsigned seed = 1; seed <= 4; ++seed)
        run_bounded(lossy, seed);
}

task<void> wiped_while_flowing(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running relay(context, shop.make_relay({.batch = 16,
                                            .retry_min = std::chrono::milliseconds(1),
                                            .retry_max = std::chrono::milliseconds(20)}));
    Running consumer(context, shop.make_consumer());
    for (int round = 1; round <= 6; ++round) {
        co_await shop.place(some_keys(50));
        co_await shop.until_effects(static_cast<std::size_t>(round) * 50 - 25);
        shop.wipe_bus();
    }
    co_await shop.until_effects(300);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 300));
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: a bus that loses everything while events flow costs no event.
TEST(Consumer, BusWipedWhileEventsFlowLosesNothing) { run_bounded(wiped_while_flowing); }

task<void> killed_anywhere(Context& context, unsigned seed) {
    EventFixture shop(context);
    co_await shop.open();
    std::mt19937 random(seed);
    std::size_t placed = 0;
    for (int life = 0; life < 12; ++life) {
        shop.bus->lose_answers = random() % 3 == 0;
        shop.bus->lose_acknowledgements = random() % 3 == 0;
        shop.bus->down = random() % 5 == 0;
        const auto count = 1 + random() % 20, batch = 1 + random() % 6;
        const auto calls = shop.bus->calls;
        Running relay(context, shop.make_relay({.batch = batch,
                                                .retry_min = std::chrono::milliseconds(1),
                                                .retry_max = std::chrono::milliseconds(4)}));
        Running consumer(context, shop.make_consumer());
        co_await shop.place(some_keys(count));
        placed += count;
        // Ends after a random number of steps of the bus, wherever relay and consumer are then.
        const auto steps = random() % (2 + count / batch);
        while (shop.bus->calls < calls + steps)
            want(co_await shop.bus->called.wait(context));
        co_await consumer.stop();
        co_await relay.stop();
    }
    shop.bus->lose_answers = shop.bus->lose_acknowledgements = shop.bus->down = false;
    Running relay(context, shop.make_relay());
    Running consumer(context, shop.make_consumer());
    co_await shop.until_effects(placed);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, placed)) << "seed " << seed;
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: relay and consumer may end at any step, any number of times: one effect per event, in order.
TEST(Consumer, EndingAnywhereKeepsOneEffectPerEvent) {
    for (unsigned seed = 1; seed <= 10; ++seed)
        run_bounded(killed_anywhere, seed);
}

task<void> unacknowledged(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    want(co_await shop.bus->publish(context, make_messages("order.created", 1, 5)));
    shop.bus->lose_acknowledgements = true;
    {
        Running consumer(context, shop.make_consumer());
        co_await shop.until_effects(5);
        co_await consumer.stop();
    }
    shop.bus->lose_acknowledgements = false;
    want(co_await shop.bus->publish(context, make_messages("order.created", 6, 6)));
    Running consumer(context, shop.make_consumer());
    co_await shop.until_effects(6);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 6));
    EXPECT_EQ(consumer->statistics().duplicates, 5u);
    EXPECT_EQ(consumer->statistics().handled, 1u);
    co_await consumer.stop();
}
// Goal: what was committed and not acknowledged comes again and is dropped.
TEST(Consumer, RestartBeforeAcknowledgeDropsDuplicates) { run_bounded(unacknowledged); }

task<void> poison(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    auto messages = make_messages("order.created", 1, 6);
    for (auto& message : messages)
        message.key = message.sequence % 2 == 0 ? "good" : "bad";
    want(co_await shop.bus->publish(context, messages));
    auto calls = std::make_shared<std::atomic<int>>(0);
    Running consumer(context, shop.make_consumer([calls](const Message& message) -> Result<void> {
        if (message.sequence != 3) return {};
        ++*calls;
        return Error(Kind::invalid, "order without a customer");
    }));
    co_await shop.until_effects(4);
    const auto effects = co_await shop.effects();
    EXPECT_EQ(sequences_of_key(effects, "bad"), (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(sequences_of_key(effects, "good"), (std::vector<std::uint64_t>{2, 4, 6}));
    EXPECT_EQ(calls->load(), 3);
    co_await consumer.stop();
    EXPECT_EQ(consumer->statistics().parked, 2u);
    const auto first = want(
        co_await shop.consumer->select<std::string>(context, "SELECT reason FROM flotilla_parked ORDER BY sequence"));
    EXPECT_EQ(first.size(), 2u);
    EXPECT_EQ(first.at(0), "order without a customer");
    EXPECT_NE(first.at(1).find("same key"), std::string::npos) << first.at(1);
    const auto kept = want(
        co_await shop.consumer->select<std::string>(context, "SELECT message FROM flotilla_parked ORDER BY sequence"));
    const auto message = want(json::parse<Message>(kept.at(0)));
    EXPECT_EQ(message.id, "shop-0-3");
    EXPECT_EQ(message.payload, messages[2].payload);
    EXPECT_NE(shop.logged().find("set aside"), std::string::npos);
}
// Goal: a message that keeps failing is set aside whole, with its reason and the later ones of its key; others go on.
TEST(Consumer, PoisonMessageParksItsKeyOnly) { run_bounded(poison); }

task<void> mended(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    auto messages = make_messages("order.created", 1, 7);
    const std::vector<std::string> keys{"bad", "worse", "bad", "worse", "good", "", ""};
    for (std::size_t i = 0; i < messages.size(); ++i)
        messages[i].key = keys[i];
    want(co_await shop.bus->publish(context, messages));
    const auto live = [&](std::set<std::uint64_t> failing, std::size_t effects) -> task<void> {
        Running consumer(context, shop.make_consumer([failing](const Message& message) -> Result<void> {
            if (!failing.contains(message.sequence)) return {};
            return Error(Kind::invalid, "cannot be handled yet");
        }));
        co_await shop.until_effects(effects);
        co_await consumer.stop();
    };
    co_await live({1, 2, 6}, 2);
    EXPECT_EQ(co_await shop.effect_sequences(), (std::vector<std::uint64_t>{5, 7}))
        << "events without a key follow none";
    auto next = make_messages("order.created", 8, 8);
    next[0].key = "bad";
    want(co_await shop.bus->publish(context, next));
    co_await live({2}, 6);
    EXPECT_EQ(co_await shop.effect_sequences(), (std::vector<std::uint64_t>{5, 7, 1, 3, 6, 8}));
    const auto left = want(co_await shop.consumer->select<std::int64_t>(
        context, "SELECT sequence FROM flotilla_parked ORDER BY sequence"));
    EXPECT_EQ(left, (std::vector<std::int64_t>{2, 4}));
    EXPECT_NE(shop.logged().find("fails again"), std::string::npos);
    co_await live({}, 8);
    EXPECT_EQ(co_await shop.effect_sequences(), (std::vector<std::uint64_t>{5, 7, 1, 3, 6, 8, 2, 4}));
}
// Goal: what was set aside is handled at a later start, in the order of its key and before what comes anew.
TEST(Consumer, ParkedMessagesAreTriedAtTheNextStart) { run_bounded(mended); }

task<void> throwing(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    const std::vector<Message> messages{make_message("order.created", 1, "bad"),
                                        make_message("order.created", 2, "good")};
    want(co_await shop.bus->publish(context, messages));
    Running consumer(context, shop.make_consumer([](const Message& message) -> Result<void> {
        if (message.sequence == 1) throw std::runtime_error("no such page");
        return {};
    }));
    co_await shop.until_effects(1);
    const auto reasons = want(
        co_await shop.consumer->select<std::string>(context, "SELECT reason FROM flotilla_parked ORDER BY sequence"));
    EXPECT_EQ(reasons, (std::vector<std::string>{"the handler threw: no such page"}));
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(2, 2));
    co_await consumer.stop();
}
// Goal: an exception of a handler is a failure like any other and leaves nothing half done.
TEST(Consumer, HandlerThrowsIsParkedAndRolledBack) { run_bounded(throwing); }

task<void> failed_statement(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    const auto read = [](Transaction& transaction) -> std::optional<std::string> {
        transaction.fail(Error(Kind::unavailable, "the disk is full")); // as a statement would
        return {};
    };
    const EventHandler handlers[] = {
        [read](Transaction& transaction, const Message&) -> Result<void> {
            (void)read(transaction).value(); // throws
            return {};
        },
        [read](Transaction& transaction, const Message&) -> Result<void> {
            if (!read(transaction)) return Error(Kind::not_found, "no such row");
            return {};
        },
        [read](Transaction& transaction, const Message&) -> Result<void> {
            (void)read(transaction);
            return {};
        },
    };
    const auto message =
        std::make_shared<const Message>(Message{.topic = "order.created", .sequence = 1, .producer = "shop"});
    for (const auto& handler : handlers) {
        const auto outcome = co_await shop.consumer->transact(context, [=](Transaction& transaction) {
            return inbox::handle(transaction, {.consumer = "mail", .message = message}, handler);
        });
        EXPECT_EQ(outcome ? "" : outcome.error().message(), "the disk is full");
        EXPECT_TRUE(!outcome && inbox::is_outage(outcome.error()));
    }
    EXPECT_EQ(want(co_await shop.consumer->select<std::uint64_t>(context, "SELECT sequence FROM flotilla_inbox")),
              std::vector<std::uint64_t>());
}
// Goal: what a handler makes of a statement that failed does not hide the statement's error: it is what decides between
// waiting and parking, and the mark stays.
TEST(Inbox, StatementThatFailsInAHandlerIsItsError) { run_bounded(failed_statement); }

task<void> read_failed(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    want(co_await shop.consumer->transact(
        context, [](Transaction& transaction) { return transaction.execute("DROP TABLE flotilla_inbox"); }));
    const auto message =
        std::make_shared<const Message>(Message{.topic = "order.created", .sequence = 1, .producer = "shop"});
    const auto calls = std::make_shared<std::atomic<int>>(0);
    const EventHandler handler = [calls](Transaction&, const Message&) -> Result<void> {
        ++*calls;
        return {};
    };
    const auto outcome = co_await shop.consumer->transact(context, [=](Transaction& transaction) {
        return inbox::handle(transaction, {.consumer = "mail", .message = message}, handler);
    });
    EXPECT_FALSE(outcome.has_value());
    EXPECT_EQ(*calls, 0);
}
// Goal: nothing is handled when it is not known whether it was.
TEST(Inbox, MarkThatCannotBeReadCallsNoHandler) { run_bounded(read_failed); }

task<void> outage(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    want(co_await shop.bus->publish(context, make_messages("order.created", 1, 3)));
    auto calls = std::make_shared<std::atomic<int>>(0);
    Running consumer(context, shop.make_consumer([calls](const Message& message) -> Result<void> {
        if (message.sequence == 2 && ++*calls <= 12) return Error(Kind::unavailable, "the stock service is away");
        return {};
    }));
    co_await shop.until_effects(3);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 3));
    EXPECT_EQ(calls->load(), 13);
    co_await consumer.stop();
    EXPECT_EQ(consumer->statistics().parked, 0u);
}
// Goal: an outage behind the handler is waited out, however long, in order; nothing is parked for it.
TEST(Consumer, HandlerUnavailableIsRetriedForEver) { run_bounded(outage); }

task<void> never_filled(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    auto options = EventFixture::fast();
    options.gap_wait_max = std::chrono::milliseconds(20);
    Running consumer(context, shop.make_consumer({}, options));
    want(co_await shop.bus->publish(context, make_messages("order.created", 1, 2)));
    co_await shop.until_effects(2);
    want(co_await shop.bus->publish(context, make_messages("order.created", 5, 6)));
    co_await shop.until_effects(4);
    EXPECT_EQ(co_await shop.effect_sequences(), (std::vector<std::uint64_t>{1, 2, 5, 6}));
    EXPECT_EQ(shop.accepted_sequences("flotilla.redrive.shop").size(), 1u);
    EXPECT_NE(shop.logged().find("going on without them"), std::string::npos);
    co_await consumer.stop();
}
// Goal: events whose producer does not answer hold its others up for a bounded time; an error says which.
TEST(Consumer, GapNeverFilledGoesOnAfterBoundedWait) { run_bounded(never_filled); }

/// Publishes 1 to 4 without 2 and 3, which the bus loses, and ends the relay.
task<void> lose_two(Context& context, EventFixture& shop) {
    co_await shop.open();
    shop.bus->drop = [](const Message& message) { return message.key == "lost"; };
    co_await shop.place({"a", "lost", "lost", "b"});
    {
        Running relay(context, shop.make_relay());
        while ((co_await shop.publisher->select<std::int64_t>(
                    context, "SELECT published_at FROM flotilla_outbox WHERE published_at IS NOT NULL"))
                   ->size() < 4)
            want(co_await sleep_for(context, std::chrono::milliseconds(1)));
        co_await relay.stop();
    }
    shop.bus->drop = {};
}
task<void> until_gap(Context& context, Running<Consumer>& consumer) {
    while (consumer->statistics().gaps == 0)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
}

task<void> producer_away(Context& context) {
    EventFixture shop(context);
    co_await lose_two(context, shop);
    Running consumer(context, shop.make_consumer());
    co_await until_gap(context, consumer);
    co_await shop.until_accepted(3); // 1, 4, and the question
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 1));
    Running relay(context, shop.make_relay());
    co_await shop.until_effects(4);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 4));
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: events that the bus lost while their producer was away are waited for, and come when it is back.
TEST(Consumer, LostEventsWaitForTheirProducer) { run_bounded(producer_away); }

task<void> no_longer_kept(Context& context, bool both) {
    EventFixture shop(context);
    co_await lose_two(context, shop);
    want(co_await shop.publisher->transact(context, [both](Transaction& transaction) {
        return transaction.execute("DELETE FROM flotilla_outbox WHERE sequence = 2 OR sequence = $1", both ? 3 : 2);
    }));
    // Once more lost on the way: what is kept is still waited for.
    shop.bus->drop = [count = 0](const Message& message) mutable { return message.key == "lost" && count++ == 0; };
    Running relay(context, shop.make_relay());
    Running consumer(context, shop.make_consumer());
    co_await shop.until_effects(both ? 2 : 3);
    EXPECT_EQ(co_await shop.effect_sequences(),
              both ? (std::vector<std::uint64_t>{1, 4}) : (std::vector<std::uint64_t>{1, 3, 4}));
    EXPECT_NE(shop.logged().find("no longer keeps them"), std::string::npos);
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: of lost events only those are gone without that their producer no longer has, and then at once.
TEST(Consumer, EventsNoLongerKeptAreGoneWithout) {
    run_bounded(no_longer_kept, false);
    run_bounded(no_longer_kept, true);
}

task<void> driven_for_another(Context& context) {
    EventFixture shop(context);
    co_await lose_two(context, shop);
    Running consumer(context, shop.make_consumer());
    co_await until_gap(context, consumer);
    co_await shop.until_accepted(3);
    // What another consumer asked for begins behind what this one misses: it says nothing of that.
    auto again = make_messages("order.created", 4, 4);
    again[0].follows = 3;
    want(co_await shop.bus->publish(context, again));
    while (consumer->statistics().duplicates == 0)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 1));
    Running relay(context, shop.make_relay());
    co_await shop.until_effects(4);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(1, 4));
    co_await consumer.stop();
    co_await relay.stop();
}
// Goal: events published again for somebody else do not make a consumer give up what it misses.
TEST(Consumer, EventsDrivenForAnotherLeaveTheGap) { run_bounded(driven_for_another); }

task<void> late_start(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running consumer(context, shop.make_consumer());
    want(co_await shop.bus->publish(context, make_messages("order.created", 500, 502)));
    co_await shop.until_effects(3);
    EXPECT_EQ(co_await shop.effect_sequences(), numbers(500, 502));
    EXPECT_EQ(consumer->statistics().gaps, 0u);
    co_await consumer.stop();
}
// Goal: a new consumer starts with the oldest the bus has, without asking for what was before.
TEST(Consumer, FirstMessageOfProducerSetsTheStart) { run_bounded(late_start); }

task<void> unnumbered(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running consumer(context, shop.make_consumer([](const Message& message) -> Result<void> {
        if (message.key != "good") return Error(Kind::invalid, "unreadable");
        return {};
    }));
    const std::vector<Message> messages{
        make_message("order.created", 0, "a", ""), make_message("order.created", 0, "b", ""),
        make_message("order.created", 0, "good", ""), make_message("order.created", 0, "good", "")};
    want(co_await shop.bus->publish(context, messages));
    co_await shop.until_effects(2);
    co_await consumer.stop();
    EXPECT_EQ(consumer->statistics().parked, 2u);
}
// Goal: entries that a stranger added without numbers are handled, and parked, like others.
TEST(Consumer, MessagesWithoutSequenceAreHandledEachTime) { run_bounded(unnumbered); }

double shown_age(const Metrics& metrics, const std::string& name) {
    const auto text = metrics.prometheus_text();
    const auto at = text.find("\n" + name + "{");
    return at == std::string::npos ? -1 : std::stod(text.substr(text.find("} ", at) + 2));
}

task<void> slow_handler(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    bool away = true;
    auto options = EventFixture::fast();
    options.lag_max = std::chrono::milliseconds(20);
    auto waiting = make_message("order.created", 1);
    waiting.time = context.world().now();
    want(co_await shop.bus->publish(context, {&waiting, 1}));
    Running consumer(context, shop.make_consumer(
                                  [&away](const Message&) -> Result<void> {
                                      if (away) return Error(Kind::unavailable, "the warehouse is away");
                                      return {};
                                  },
                                  options));
    while (consumer->health())
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    const auto why = consumer->health().error().message();
    EXPECT_TRUE(why.starts_with("an event of order.created waits to be handled, ")) << why;
    EXPECT_TRUE(why.ends_with(": the warehouse is away")) << why;
    EXPECT_GT(shown_age(shop.metrics, "flotilla_inbox_lag_seconds"), 0.01);
    away = false;
    co_await shop.until_effects(1);
    while (!consumer->health())
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    EXPECT_EQ(shown_age(shop.metrics, "flotilla_inbox_lag_seconds"), 0);
    co_await consumer.stop();
}
// Goal: an event that waits to be handled is a metric, and past the limit a reason in /readyz.
TEST(Consumer, EventThatWaitsForLongIsTold) { run_bounded(slow_handler); }

task<void> parked_for_long(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    auto options = EventFixture::fast();
    options.lag_max = std::chrono::milliseconds(20);
    const auto refuse = [](const Message&) -> Result<void> { return Error(Kind::invalid, "unreadable"); };
    auto young = make_message("order.created", 1);
    young.time = context.world().now() + std::chrono::hours(1); // it is not for its age that it is told
    want(co_await shop.bus->publish(context, {&young, 1}));
    for (int start = 0; start < 2; ++start) { // a restart finds it again
        Running consumer(context, shop.make_consumer(refuse, options));
        while (consumer->health())
            want(co_await sleep_for(context, std::chrono::milliseconds(1)));
        const auto why = consumer->health().error().message();
        EXPECT_TRUE(why.contains("an event of order.created is parked for ")) << why;
        EXPECT_GT(shown_age(shop.metrics, "flotilla_inbox_oldest_parked_seconds"), 0.01);
        co_await consumer.stop();
    }
}
// Goal: what was set aside stays in sight until somebody mends it, across restarts.
TEST(Consumer, ParkedEventIsTold) { run_bounded(parked_for_long); }

task<void> traced(Context& context) {
    EventFixture shop(context);
    co_await shop.open();
    Running consumer(context, shop.make_consumer());
    const auto message = make_message("order.created", 1);
    want(co_await shop.bus->publish(context, {&message, 1}));
    co_await shop.until_effects(1);
    const auto effects = co_await shop.effects();
    const auto sent = TraceContext::parse(message.traceparent);
    const auto seen = TraceContext::parse(effects.at(0).traceparent);
    EXPECT_EQ(seen.trace_id, sent.trace_id);
    EXPECT_NE(seen.span_id, sent.span_id);
    co_await consumer.stop();
}
// Goal: what a handler does belongs to the trace of what caused the event.
TEST(Consumer, HandleMessageContinuesItsTrace) { run_bounded(traced); }

std::shared_ptr<const Message> numbered(std::uint64_t sequence) {
    return std::make_shared<const Message>(make_message("t", sequence));
}

// Goal: held deliveries come out in order, as soon as their turn has come.
TEST(Gaps, TakeReturnsOnlyWhatIsNext) {
    inbox::Gaps gaps(std::chrono::seconds(30));
    const Instant now{};
    EXPECT_EQ(gaps.hold(now, numbered(5), "e"), inbox::Gaps::Hold::opened);
    EXPECT_EQ(gaps.hold(now, numbered(3), "c"), inbox::Gaps::Hold::added);
    EXPECT_EQ(gaps.hold(now, numbered(3), "c2"), inbox::Gaps::Hold::already);
    EXPECT_EQ(gaps.hold(now, numbered(3), "c"), inbox::Gaps::Hold::added);
    EXPECT_FALSE(gaps.take("shop", 1, now).has_value());
    EXPECT_EQ(gaps.take("shop", 2, now)->token, "c");
    EXPECT_FALSE(gaps.take("shop", 3, now).has_value());
    EXPECT_EQ(gaps.take("shop", 7, now)->token, "e");
    EXPECT_TRUE(gaps.empty());
}

// Goal: memory is bounded: far ahead only tokens are kept, and at the limit the wait ends.
TEST(Gaps, HoldTooManyKeepsTokensThenGivesUp) {
    inbox::Gaps gaps(std::chrono::seconds(30));
    const Instant now{};
    for (std::uint64_t n = 0; n < inbox::Gaps::kTokensHeld; ++n)
        (void)gaps.hold(now, numbered(n + 2), std::to_string(n));
    EXPECT_GT(gaps.by_producer().at("shop").give_up_at, now);
    (void)gaps.hold(now, numbered(inbox::Gaps::kTokensHeld + 2), "last");
    EXPECT_EQ(gaps.by_producer().at("shop").give_up_at, now);
    std::size_t with_message = 0;
    for (const auto& [sequence, held] : gaps.by_producer().at("shop").held)
        with_message += held.message ? 1 : 0;
    EXPECT_EQ(with_message, inbox::Gaps::kMessagesHeld);
}

} // namespace
} // namespace flotilla::bus_testing::inbox_test
