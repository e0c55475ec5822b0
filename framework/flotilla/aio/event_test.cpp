#include <flotilla/aio/event.hpp>

#include <thread>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::event_test {
namespace {

using namespace std::chrono_literals;

task<void> count_wakes(Context& ctx, Event& event, int& wakes) {
    while (co_await event.wait(ctx))
        ++wakes;
}

// Goal: a notification before the wait is not lost, and several count as one.
TEST(Event, NotifyBeforeWaitIsKept) {
    auto body = [](Context& ctx) -> task<void> {
        Event event;
        event.notify();
        event.notify();
        EXPECT_TRUE(co_await event.wait(ctx));
        Context brief(ctx, 2ms);
        EXPECT_EQ((co_await event.wait(brief)).error().kind(), Kind::deadline_exceeded);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: notify() wakes the waiter, later and not inside itself.
TEST(Event, NotifyWakesWaiterLater) {
    auto body = [](Context& ctx) -> task<void> {
        Event event;
        int wakes = 0;
        Scope scope(ctx);
        scope.spawn(count_wakes(scope.context(), event, wakes));
        for (int round = 1; round <= 3; ++round) {
            event.notify();
            event.notify();
            EXPECT_EQ(wakes, round - 1);
            co_await several_turns(ctx.world());
            EXPECT_EQ(wakes, round);
        }
        scope.cancel(Error(Kind::cancelled, "enough"));
        co_await scope.join();
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: a notification that comes together with cancellation is delivered; only the next wait fails.
TEST(Event, NotifyAndCancelTogetherKeepsNotification) {
    auto body = [](Context& ctx) -> task<void> {
        Event event;
        int wakes = 0;
        Scope scope(ctx);
        scope.spawn(count_wakes(scope.context(), event, wakes));
        scope.cancel(Error(Kind::cancelled, "enough"));
        event.notify();
        co_await scope.join();
        EXPECT_EQ(wakes, 1);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: a waiter destroyed while it waits, or between notification and waking, is not touched again.
TEST(Event, DestroyWaiterIsSafe) {
    auto body = [](Context& ctx) -> task<void> {
        Event event;
        int wakes = 0;
        for (const bool notify_first : {false, true}) {
            {
                Scope scope(ctx);
                scope.spawn(count_wakes(scope.context(), event, wakes));
                if (notify_first) event.notify();
            }
            co_await several_turns(ctx.world());
        }
        EXPECT_EQ(wakes, 0);
        EXPECT_TRUE(co_await event.wait(ctx)) << "the notification that nobody took is still there";
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: other threads notify through World::post.
TEST(Event, PostedNotifyFromThreadWakes) {
    auto body = [](Context& ctx) -> task<Result<void>> {
        Event event;
        const std::jthread other([&world = ctx.world(), &event] { world.post([&event] { event.notify(); }); });
        co_return co_await event.wait(ctx);
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_TRUE(loop.run_until_done(body(context)));
}

} // namespace
} // namespace flotilla::event_test
