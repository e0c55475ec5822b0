#pragma once

#include <algorithm>
#include <iterator>

#include <flotilla/bus/conformance/bus_conformance.hpp>

/// The part of the suite for pub/sub channels. For tests only.
namespace flotilla::bus_testing {

inline task<void> hear(Context& context, ChannelSubscription& channel, std::vector<std::string>& into) {
    while (!context.cancelled()) {
        auto heard = co_await channel.receive(context);
        if (heard) std::ranges::move(heard->payloads, std::back_inserter(into));
    }
}
/// Publishes until so many listen.
inline task<void> until_heard(Context& context, BusServer& server, std::string payload, std::size_t listeners = 1) {
    for (;;) {
        const auto heard = co_await server.publish_on_channel(context, "t", payload);
        if (heard == listeners) co_return;
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
    }
}
inline task<void> until_size(Context& context, const std::vector<std::string>& heard, std::size_t size) {
    while (heard.size() < size)
        want(co_await sleep_for(context, std::chrono::milliseconds(1)));
}
inline task<void> stop(Scope& scope) {
    scope.cancel(Error(Kind::cancelled, "the test ends"));
    co_await scope.join();
}

inline task<void> channel_heard(Context& context, Bus& bus, BusServer& server) {
    auto channel = bus.listen("t", "g", "c");
    Scope scope(context);
    std::vector<std::string> heard;
    scope.spawn(hear(scope.context(), *channel, heard));
    co_await until_heard(context, server, "\"begin\"");
    co_await until_size(context, heard, 1);
    heard.clear();
    want(co_await bus.publish(context, make_messages("t", 1, 3)));
    const std::string odd("\r\n\t not JSON \xff\0", 15);
    for (const auto& payload : {std::string("1"), std::string("1"), make_message("t", 2).payload, odd})
        EXPECT_EQ(co_await server.publish_on_channel(context, "t", payload), 1U);
    EXPECT_EQ(co_await server.publish_on_channel(context, "other", "2"), 0U);
    co_await until_size(context, heard, 4);
    EXPECT_EQ(heard, (std::vector<std::string>{"1", "1", make_message("t", 2).payload, odd}));
    co_await stop(scope);
}
// Goal: every payload of another program is heard as it is, in order, equal ones too; what we publish ourselves is not
// heard a second time.
TEST_P(BusConformance, ListenHearsOthersAndNotOurselves) { run(channel_heard); }

inline task<void> channel_groups(Context& context, Bus& bus, BusServer& server) {
    auto active = bus.listen("t", "g", "one");
    auto waiting = bus.listen("t", "g", "two");
    auto other = bus.listen("t", "h", "one");
    Scope scope(context);
    std::vector<std::string> heard, heard_waiting, heard_other;
    scope.spawn(hear(scope.context(), *active, heard));
    co_await until_heard(context, server, "0");
    scope.spawn(hear(scope.context(), *waiting, heard_waiting));
    scope.spawn(hear(scope.context(), *other, heard_other));
    co_await until_heard(context, server, "1", 2);
    co_await until_size(context, heard_other, 1);
    EXPECT_EQ(co_await server.publish_on_channel(context, "t", "2"), 2U);
    co_await until_size(context, heard_other, 2);
    EXPECT_EQ(heard_other, (std::vector<std::string>{"1", "2"}));
    co_await until_size(context, heard, 3);
    EXPECT_EQ(heard.back(), "2");
    EXPECT_TRUE(heard_waiting.empty());
    co_await stop(scope);
}
// Goal: of a group's listeners one hears, so that one payload has one effect; every group has its own.
TEST_P(BusConformance, ListenInGroupsIsHeardOncePerGroup) { run(channel_groups); }

inline task<void> channel_cancelled(Context& context, Bus& bus, BusServer& server) {
    auto channel = bus.listen("t", "g", "c");
    Context brief(context, std::chrono::milliseconds(20));
    const auto nothing = co_await channel->receive(brief);
    EXPECT_FALSE(nothing.has_value());
    if (!nothing) EXPECT_EQ(nothing.error().kind(), Kind::deadline_exceeded);
    Scope scope(context);
    std::vector<std::string> heard;
    scope.spawn(hear(scope.context(), *channel, heard));
    co_await until_heard(context, server, "1");
    co_await until_size(context, heard, 1);
    co_await stop(scope);
}
// Goal: a listener that gave up waiting says so and can go on.
TEST_P(BusConformance, ListenAgainAfterGivingUpHears) { run(channel_cancelled); }

inline task<void> channel_restarted(Context& context, Bus& bus, BusServer& server) {
    auto channel = bus.listen("t", "g", "c");
    Scope scope(context);
    std::vector<std::string> heard;
    scope.spawn(hear(scope.context(), *channel, heard));
    co_await until_heard(context, server, "1");
    co_await until_size(context, heard, 1);
    server.restart();
    co_await until_heard(context, server, "2");
    co_await until_size(context, heard, 2);
    EXPECT_EQ(heard, (std::vector<std::string>{"1", "2"}));
    co_await stop(scope);
}
// Goal: after its server has restarted a listener hears again by itself.
TEST_P(BusConformance, RestartServerIsListenedToAgain) {
    if (!GetParam().restarts) GTEST_SKIP() << "in-process";
    run(channel_restarted);
}

} // namespace flotilla::bus_testing
