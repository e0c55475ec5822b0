#include <flotilla/bus/channel_consumer.hpp>

#include <gtest/gtest.h>

#include <flotilla/bus/conformance/event_fixture.hpp>

namespace flotilla::channel_consumer_test {
namespace {

using namespace bus_testing;
using namespace std::chrono_literals;

struct Placed {
    std::string order_id;
    std::optional<Money> total;
};

/// As host.on() reads a payload.
Result<void> must_be_placed(const Message& message) {
    auto placed = json::parse<Placed>(message.payload);
    if (!placed) return std::move(placed.error());
    return {};
}

task<void> until(Context& context, const std::uint64_t& number, std::uint64_t wanted) {
    while (number < wanted)
        want(co_await sleep_for(context, 1ms));
}

task<std::vector<std::string>> parked_reasons(Context& context, EventFixture& events) {
    co_return want(co_await events.consumer->select<std::string>(
        context, "SELECT reason FROM flotilla_parked WHERE producer = 'pubsub' ORDER BY sequence DESC"));
}

task<void> equal_payloads(Context& context) {
    EventFixture events(context);
    co_await events.open();
    Running consumer(context, events.make_channel_consumer(must_be_placed));
    const std::string payload = R"({"orderId":"o-1","total":59.980,"placedBy":{"agent":7}})";
    co_await events.publish_on_channel(payload);
    co_await events.publish_on_channel(payload);
    co_await events.until_effects(2);
    const auto effects = co_await events.effects();
    EXPECT_NE(effects[0].event_id, effects[1].event_id);
    EXPECT_EQ(effects[0].event_id.size(), 36U);
    EXPECT_NE(effects[0].traceparent, effects[1].traceparent);
    EXPECT_EQ(
        events.metrics.counter("flotilla_pubsub_handled_total", "", {{"consumer", "mail"}, {"topic", "order.created"}})
            .value(),
        2U);
    co_await consumer.stop();
}
// Goal: each payload is an event of its own, with an id and a trace; fields that nobody asked for do no harm.
TEST(ChannelConsumer, EqualPayloadsAreTwoEvents) { run_bounded(equal_payloads); }

task<void> refused(Context& context) {
    EventFixture events(context);
    co_await events.open();
    Running consumer(context, events.make_channel_consumer(must_be_placed, {.parked_max = 3}));
    for (const auto* payload : {"{", "", R"({"orderId":7})", "\xff\xfe", "null"})
        co_await events.publish_on_channel(payload);
    co_await events.publish_on_channel(R"({"orderId":"o-1"})");
    co_await events.until_effects(1);
    EXPECT_EQ(consumer->statistics().parked, 3U);
    EXPECT_EQ(consumer->statistics().dropped, 2U);
    const auto reasons = co_await parked_reasons(context, events);
    EXPECT_EQ(reasons.size(), 3U);
    if (reasons.size() == 3) {
        EXPECT_TRUE(reasons[0].starts_with("not JSON: ")) << reasons[0];
        EXPECT_EQ(reasons[2], "orderId: expected a string, found 7");
    }
    EXPECT_TRUE(events.logged().contains("an event heard on pub/sub was set aside")) << events.logged();
    EXPECT_TRUE(events.logged().contains("too many are set aside already")) << events.logged();
    co_await consumer.stop();
}
// Goal: what does not match the contract is set aside with its reason, at once and up to a bound, and stops nothing.
TEST(ChannelConsumer, RefusedPayloadIsSetAsideInWords) { run_bounded(refused); }

task<void> repaired(Context& context) {
    EventFixture events(context);
    co_await events.open();
    {
        Running consumer(context, events.make_channel_consumer(must_be_placed));
        co_await events.publish_on_channel("[]");
        co_await until(context, consumer->statistics().parked, 1);
        co_await consumer.stop();
    }
    Running mended(context, events.make_consumer()); // of the topic's partition 0, with a handler that takes anything
    co_await events.until_effects(1);
    EXPECT_TRUE((co_await parked_reasons(context, events)).empty());
    co_await mended.stop();
}
// Goal: what was set aside is tried again at a later start, as what came by the stream is.
TEST(ChannelConsumer, SetAsideIsTriedAgainAtTheNextStart) { run_bounded(repaired); }

task<void> flood(Context& context) {
    EventFixture events(context);
    co_await events.open();
    Running consumer(context, events.make_channel_consumer({}, {.queue_messages_max = 10, .queue_bytes_max = 1000}));
    co_await events.publish_on_channel("1");
    co_await events.until_effects(1);
    for (int i = 0; i < 25; ++i) // no turn of the loop in between: all are heard at once
        co_await events.publish_on_channel("2");
    co_await until(context, consumer->statistics().handled, 11);
    EXPECT_EQ(consumer->statistics().dropped, 15U);
    co_await events.publish_on_channel(std::string(1001, ' '));
    co_await events.publish_on_channel("3");
    co_await until(context, consumer->statistics().handled, 12);
    EXPECT_EQ(consumer->statistics().dropped, 16U);
    EXPECT_EQ(
        events.metrics.counter("flotilla_pubsub_dropped_total", "", {{"consumer", "mail"}, {"topic", "order.created"}})
            .value(),
        16U);
    EXPECT_TRUE(events.logged().contains("they come faster than they are handled")) << events.logged();
    EXPECT_TRUE(events.logged().contains("events heard on pub/sub are no longer lost")) << events.logged();
    co_await consumer.stop();
}
// Goal: a flood fills a bounded queue, in number and bytes; what is lost is counted and said, and later ones are heard.
TEST(ChannelConsumer, FloodIsBoundedAndCounted) { run_bounded(flood); }

task<void> failing(Context& context) {
    EventFixture events(context);
    co_await events.open();
    auto failures = std::make_shared<std::atomic<int>>(0);
    Running consumer(context, events.make_channel_consumer([failures](const Message&) -> Result<void> {
        if (++*failures <= 4) return Error(Kind::unavailable, "the disk is full");
        if (*failures <= 6) return Error(Kind::internal, "a bug that passes");
        return {};
    }));
    co_await events.publish_on_channel("1");
    co_await events.until_effects(1);
    EXPECT_EQ(*failures, 7);
    EXPECT_EQ(consumer->statistics().parked, 0U);
    co_await consumer.stop();
}
// Goal: what was heard survives an outage of the database and a handler that fails now and then.
TEST(ChannelConsumer, HandlerIsTriedAgain) { run_bounded(failing); }

} // namespace
} // namespace flotilla::channel_consumer_test
