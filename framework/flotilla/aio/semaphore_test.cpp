#include <flotilla/aio/semaphore.hpp>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::semaphore_test {
namespace {

using namespace std::chrono_literals;

struct Holders {
    static task<void> hold(Context& ctx, FifoSemaphore& semaphore, int number, std::vector<int>& order, int& at_once,
                           int& at_once_max) {
        auto permit = co_await semaphore.acquire(ctx);
        if (!permit) co_return;
        at_once_max = std::max(at_once_max, ++at_once);
        order.push_back(number);
        co_await several_turns(ctx.world(), 2);
        --at_once;
    }
    static task<void> try_hold(Context& ctx, FifoSemaphore& semaphore, int& granted, int& refused) {
        auto permit = co_await semaphore.acquire(ctx);
        ++(permit ? granted : refused);
    }
};

// Goal: never more holders than permits, and strictly first come, first served.
TEST(FifoSemaphore, AcquireIsBoundedAndFair) {
    auto body = [](Context& ctx) -> task<void> {
        FifoSemaphore semaphore(3);
        std::vector<int> order;
        std::vector<int> expected;
        int at_once = 0;
        int at_once_max = 0;
        Scope scope(ctx);
        for (int i = 0; i < 100; ++i) {
            scope.spawn(Holders::hold(ctx, semaphore, i, order, at_once, at_once_max));
            expected.push_back(i);
        }
        EXPECT_EQ(semaphore.waiting(), 97U);
        co_await scope.join();
        EXPECT_EQ(at_once_max, 3);
        EXPECT_EQ(order, expected);
        EXPECT_EQ(semaphore.available(), 3U);
        EXPECT_EQ(semaphore.waiting(), 0U);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: a permit that is released goes to who waits longest, not to who asks at that moment.
TEST(FifoSemaphore, ReleaseHandsOverNoBarging) {
    auto body = [](Context& ctx) -> task<void> {
        FifoSemaphore semaphore(1);
        int granted = 0;
        int refused = 0;
        Scope scope(ctx);
        {
            auto held = co_await semaphore.acquire(ctx);
            EXPECT_TRUE(held);
            scope.spawn(Holders::try_hold(ctx, semaphore, granted, refused));
            held->release();
            EXPECT_EQ(semaphore.available(), 0U) << "belongs to the waiter already";
            auto late = co_await semaphore.acquire(ctx);
            EXPECT_EQ(granted, 1);
            EXPECT_TRUE(late);
        }
        co_await scope.join();
        EXPECT_EQ(semaphore.available(), 1U);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: who is cancelled while queued leaves the queue without taking a permit along.
TEST(FifoSemaphore, CancelWhileQueuedLosesNoPermit) {
    auto body = [](Context& ctx) -> task<void> {
        FifoSemaphore semaphore(1);
        int granted = 0;
        int refused = 0;
        auto held = co_await semaphore.acquire(ctx);
        Scope impatient(ctx);
        Scope patient(ctx);
        impatient.spawn(Holders::try_hold(impatient.context(), semaphore, granted, refused));
        patient.spawn(Holders::try_hold(patient.context(), semaphore, granted, refused));
        impatient.spawn(Holders::try_hold(impatient.context(), semaphore, granted, refused));
        impatient.cancel(Error(Kind::cancelled, "gone"));
        EXPECT_EQ(semaphore.waiting(), 1U);
        held->release();
        co_await impatient.join();
        co_await patient.join();
        EXPECT_EQ(granted, 1);
        EXPECT_EQ(refused, 2);
        EXPECT_EQ(semaphore.available(), 1U);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: cancellation after the grant, and destruction between grant and waking, pass the permit on.
TEST(FifoSemaphore, LoseWaiterAfterGrantPassesPermitOn) {
    auto body = [](Context& ctx) -> task<void> {
        FifoSemaphore semaphore(1);
        int granted = 0;
        int refused = 0;
        auto held = co_await semaphore.acquire(ctx);
        Scope waiting(ctx);
        {
            Scope destroyed(ctx);
            destroyed.spawn(Holders::try_hold(destroyed.context(), semaphore, granted, refused));
            waiting.spawn(Holders::try_hold(ctx, semaphore, granted, refused));
            held->release(); // granted to the first, who never wakes
            destroyed.cancel(Error(Kind::cancelled, "gone"));
        }
        co_await waiting.join();
        EXPECT_EQ(granted, 1);
        EXPECT_EQ(semaphore.available(), 1U);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: past the bound of the queue, and with a cancelled context, acquire answers at once.
TEST(FifoSemaphore, FullQueueAndCancelledContextAreRefused) {
    auto body = [](Context& ctx) -> task<void> {
        FifoSemaphore semaphore(1, 1);
        int granted = 0;
        int refused = 0;
        auto held = co_await semaphore.acquire(ctx);
        Scope scope(ctx);
        scope.spawn(Holders::try_hold(ctx, semaphore, granted, refused));
        EXPECT_EQ((co_await semaphore.acquire(ctx)).error().kind(), Kind::unavailable);
        Context brief(ctx, 0ms);
        EXPECT_EQ((co_await semaphore.acquire(brief)).error().kind(), Kind::deadline_exceeded);
        held->release();
        co_await scope.join();
        EXPECT_EQ(granted, 1);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: a moved permit is given back once.
TEST(FifoSemaphore, MovePermitReleasesOnce) {
    auto body = [](Context& ctx) -> task<void> {
        FifoSemaphore semaphore(2);
        {
            auto first = (co_await semaphore.acquire(ctx)).value();
            auto second = (co_await semaphore.acquire(ctx)).value();
            auto moved = std::move(first);
            EXPECT_EQ(semaphore.available(), 0U);
            moved = std::move(second); // gives the first one back
            EXPECT_EQ(semaphore.available(), 1U);
        }
        EXPECT_EQ(semaphore.available(), 2U);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

} // namespace
} // namespace flotilla::semaphore_test
