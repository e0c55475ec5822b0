#include <flotilla/aio/loop.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::loop_test {
namespace {

using namespace std::chrono_literals;

// Goal: post never runs inline and keeps the order.
TEST(LoopPost, RunsLaterInOrder) {
    auto body = [](World& world) -> task<std::vector<int>> {
        std::vector<int> order;
        world.post([&] {
            order.push_back(1);
            world.post([&] { order.push_back(3); });
        });
        world.post([&] { order.push_back(2); });
        EXPECT_TRUE(order.empty());
        co_await several_turns(world);
        co_return order;
    };
    Loop loop;
    EXPECT_EQ(loop.run_until_done(body(loop.world())), (std::vector<int>{1, 2, 3}));
}

// Goal: posts from several threads all arrive, each thread's in order, on the loop's thread.
TEST(LoopPost, FromThreadsAllArrive) {
    constexpr int kThreads = 4;
    constexpr int kEach = 10'000;
    Loop loop;
    std::array<std::vector<int>, kThreads> arrived;
    int left = kThreads * kEach;
    const auto loop_thread = std::this_thread::get_id();
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                loop.world().post([&, t, i] {
                    EXPECT_EQ(std::this_thread::get_id(), loop_thread);
                    arrived[static_cast<std::size_t>(t)].push_back(i);
                    if (--left == 0) loop.stop();
                });
            }
        });
    }
    loop.run();
    for (const auto& numbers : arrived) {
        EXPECT_EQ(numbers.size(), static_cast<std::size_t>(kEach));
        EXPECT_TRUE(std::ranges::is_sorted(numbers));
    }
}

// Goal: stop() ends run(), also when it comes first; the loop can run again.
TEST(LoopRun, StopEndsIt) {
    Loop loop;
    loop.stop();
    loop.run();
    int ran = 0;
    loop.world().post([&] {
        ++ran;
        loop.stop();
    });
    loop.run();
    EXPECT_EQ(ran, 1);
    const std::jthread other([&] { loop.stop(); });
    loop.run();
}

// Goal: a root task that stop() interrupts is destroyed where it waits, and the caller hears of it.
TEST(LoopRun, StopBeforeRootEndsThrows) {
    auto body = [](Loop& own, Context& ctx, std::shared_ptr<int>) -> task<void> {
        own.stop();
        EXPECT_TRUE(co_await sleep_for(ctx, 1h));
    };
    Loop loop;
    Context context(loop.world());
    auto held = std::make_shared<int>();
    EXPECT_THROW(loop.run_until_done(body(loop, context, held)), std::runtime_error);
    EXPECT_EQ(held.use_count(), 1);
}

// Goal: signals reach their handler on the loop, each time.
TEST(LoopSignals, HandlerHearsEachSignal) {
    Loop loop;
    std::vector<int> heard;
    loop.on_signals({SIGUSR1, SIGUSR2}, [&](int number) {
        heard.push_back(number);
        if (heard.size() == 2) loop.stop();
        ::raise(SIGUSR2);
    });
    ::raise(SIGUSR1);
    loop.run();
    EXPECT_EQ(heard, (std::vector<int>{SIGUSR1, SIGUSR2}));
}

// Goal: the monotonic clock stands still within one turn and moves on between turns.
TEST(LoopClock, MonotonicIsCachedPerTurn) {
    auto body = [](World& world) -> task<void> {
        const Instant first = world.monotonic();
        const auto until = std::chrono::steady_clock::now() + 2ms;
        while (std::chrono::steady_clock::now() < until) {
        }
        EXPECT_EQ(world.monotonic(), first);
        co_await next_turn(world);
        EXPECT_GE(world.monotonic(), first + 2ms);
        const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
        EXPECT_LT(std::chrono::abs(since_epoch - std::chrono::microseconds(world.now().microseconds())), 1s);
    };
    Loop loop;
    loop.run_until_done(body(loop.world()));
}

// Goal: random numbers do not repeat, across the block they are fetched in.
TEST(LoopRandom, NumbersDoNotRepeat) {
    Loop loop;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i)
        EXPECT_TRUE(seen.insert(loop.world().random()).second);
    EXPECT_FALSE(seen.contains(0));
}

// Goal: arming and disarming timers costs no system call each (a deadline per call must be nearly free).
TEST(LoopTimers, ArmAndDisarmManyIsCheap) {
    auto body = [](Context& ctx) -> task<void> {
        for (int i = 0; i < 100'000; ++i) {
            Context call(ctx, 5s);
            EXPECT_FALSE(call.cancelled());
        }
        co_return;
    };
    const auto system_time = [] {
        rusage usage{};
        ::getrusage(RUSAGE_THREAD, &usage);
        return usage.ru_stime.tv_sec * 1s + usage.ru_stime.tv_usec * 1us;
    };
    Loop loop;
    Context context(loop.world());
    const auto before = system_time();
    loop.run_until_done(body(context));
    EXPECT_LT(system_time() - before, 20ms) << "100,000 system calls would take longer";
}

// Goal: a loop without armed timers sleeps: it does not tick.
TEST(LoopTimers, IdleLoopDoesNotTick) {
    auto body = [](Context& ctx) -> task<long> {
        EXPECT_TRUE(co_await sleep_for(ctx, 1ms));
        {
            const Context armed(ctx, 10ms); // leaves an alarm behind that finds nothing
        }
        const auto switches = [] {
            rusage usage{};
            ::getrusage(RUSAGE_THREAD, &usage);
            return usage.ru_nvcsw;
        };
        const long before = switches();
        EXPECT_TRUE(co_await sleep_for(ctx, 200ms));
        co_return switches() - before;
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_LE(loop.run_until_done(body(context)), 15) << "a tick each millisecond would be 200";
}

// Goal: a wakeup runs later, once, in order; cancelled and destroyed ones do not run.
TEST(Wakeup, RunsLaterOnceInOrder) {
    struct Mark {
        std::vector<int>& order;
        int number;
        Wakeup wakeup;
        Mark(World& world, std::vector<int>& to, int value)
            : order(to), number(value), wakeup(world, [](void* self) { static_cast<Mark*>(self)->run(); }, this) {}
        void run() {
            order.push_back(number);
            if (number == 2 && order.size() < 4) wakeup.schedule();
        }
    };
    auto body = [](World& world) -> task<std::vector<int>> {
        std::vector<int> order;
        Mark first(world, order, 1);
        Mark second(world, order, 2);
        Mark cancelled(world, order, 9);
        auto destroyed = std::make_unique<Mark>(world, order, 8);
        first.wakeup.schedule();
        destroyed->wakeup.schedule();
        second.wakeup.schedule();
        second.wakeup.schedule();
        cancelled.wakeup.schedule();
        cancelled.wakeup.cancel();
        destroyed.reset();
        EXPECT_TRUE(order.empty());
        co_await several_turns(world);
        co_return order;
    };
    Loop loop;
    EXPECT_EQ(loop.run_until_done(body(loop.world())), (std::vector<int>{1, 2, 2, 2}));
}

/// Keeps the thread busy.
void work(World& world, Duration time) {
    const Instant end = world.refresh() + time;
    while (world.refresh() < end) {
    }
}

// Goal: what comes while the loop works may have waited since its last look; what comes while it sleeps has not.
TEST(LoopBacklog, CountsFromTheLastLook) {
    Loop loop;
    World& world = loop.world();
    Context context(world);
    const auto body = [](Context& ctx) -> task<void> {
        World& own = ctx.world();
        EXPECT_TRUE(co_await sleep_for(ctx, 5ms)); // a timer: time is measured
        Timer alarm(own, [](void*) {}, nullptr);
        alarm.arm(own.monotonic() + 1h);
        const auto slept = own.backlog();
        EXPECT_LT(own.monotonic() - slept.since, 3ms);
        EXPECT_EQ(slept.looked, slept.since);
        EXPECT_GE(slept.idle, 3ms);
        work(own, 10ms);
        EXPECT_GE(own.monotonic() - own.backlog().looked, 10ms);
        co_await several_turns(own);
        work(own, 10ms);
        co_await next_turn(own);
        const auto busy = own.backlog();
        EXPECT_GE(busy.looked - busy.since, 10ms);
        EXPECT_LT(own.monotonic() - busy.looked, 10ms);
    };
    loop.run_until_done(body(context));
}

} // namespace
} // namespace flotilla::loop_test
