#include <flotilla/aio/offload.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>

namespace flotilla::offload_test {
namespace {

using namespace std::chrono_literals;

task<void> store(Context& ctx, std::function<Result<int>()> work, std::optional<Result<int>>& into) {
    into.emplace(co_await offload(ctx, std::move(work)));
}

// Goal: the result comes back to the loop's thread; the work ran on another.
TEST(Offload, ResultComesBack) {
    auto body = [](Context& ctx) -> task<Result<bool>> {
        const auto loop_thread = std::this_thread::get_id();
        const auto work_thread =
            co_await must(offload(ctx, []() -> Result<std::thread::id> { return std::this_thread::get_id(); }));
        EXPECT_EQ(std::this_thread::get_id(), loop_thread);
        co_return work_thread != loop_thread;
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_TRUE(loop.run_until_done(body(context)).value());
}

// Goal: errors, voids and movable-only results come back as they are.
TEST(Offload, ErrorsVoidsAndMoveOnlyComeBack) {
    auto body = [](Context& ctx) -> task<void> {
        const auto failed = co_await offload(ctx, []() -> Result<int> { return Error(Kind::conflict, "failed"); });
        EXPECT_EQ(failed.error().kind(), Kind::conflict);
        EXPECT_TRUE(co_await offload(ctx, []() -> Result<void> { return {}; }));
        auto moved =
            co_await offload(ctx, [owned = std::make_unique<int>(3)]() mutable -> Result<std::unique_ptr<int>> {
                return std::move(owned);
            });
        EXPECT_EQ(**moved, 3);
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: an exception of the work leaves through the await.
TEST(Offload, ExceptionComesBack) {
    Loop loop;
    Context context(loop.world());
    auto throws = []() -> Result<int> { throw std::runtime_error("thrown"); };
    EXPECT_THROW((void)loop.run_until_done(offload(context, throws)), std::runtime_error);
}

// Goal: work does run in parallel, up to the number of threads.
TEST(Offload, RunsInParallel) {
    auto body = [](Context& ctx) -> task<void> {
        auto together = std::make_shared<std::latch>(3); // passes only when three arrive
        std::vector<task<Result<int>>> works;
        for (int i = 0; i < 3; ++i) {
            works.push_back(offload(ctx, [together, i]() -> Result<int> {
                together->arrive_and_wait();
                return i;
            }));
        }
        EXPECT_EQ((co_await all(ctx, std::move(works))).value(), (std::vector<int>{0, 1, 2}));
    };
    Loop loop({.blocking_threads = 3});
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: a cancelled caller goes on while its work still runs, and the work's outcome is dropped without harm.
TEST(Offload, CancelWhileRunningReturnsReason) {
    auto finish = std::make_shared<std::binary_semaphore>(0);
    auto body = [](Context& ctx, std::shared_ptr<std::binary_semaphore> gate) -> task<void> {
        Context brief(ctx, 3ms);
        const auto result = co_await offload(brief, [gate]() -> Result<int> {
            gate->acquire();
            return 1;
        });
        EXPECT_EQ(result.error().kind(), Kind::deadline_exceeded);
        gate->release();
        EXPECT_EQ((co_await offload(ctx, []() -> Result<int> { return 2; })).value(), 2);
    };
    Loop loop({.blocking_threads = 1});
    Context context(loop.world());
    loop.run_until_done(body(context, finish));
}

// Goal: work whose caller was cancelled, or whose task was destroyed, before it began never runs.
TEST(Offload, AbandonedBeforeStartNeverRuns) {
    struct Gate {
        std::binary_semaphore open{0};
        std::atomic<int> ran = 0;
    };
    auto body = [](Context& ctx, std::shared_ptr<Gate> gate) -> task<void> {
        Scope blocking(ctx);
        std::optional<Result<int>> blocked;
        blocking.spawn(store(
            ctx,
            [gate]() -> Result<int> {
                gate->open.acquire();
                return 1;
            },
            blocked));
        const auto count = [gate]() -> Result<int> { return ++gate->ran; };
        std::optional<Result<int>> cancelled;
        {
            Scope destroyed(ctx);
            std::optional<Result<int>> never;
            destroyed.spawn(store(ctx, count, never));
            Scope scope(ctx);
            scope.spawn(store(scope.context(), count, cancelled));
            scope.cancel(Error(Kind::cancelled, "gone"));
            co_await scope.join();
        }
        EXPECT_FALSE(cancelled->has_value());
        gate->open.release();
        co_await blocking.join();
        EXPECT_EQ((co_await offload(ctx, count)).value(), 1) << "the abandoned ones did not count";
        Context brief(ctx, 0ms);
        EXPECT_FALSE(co_await offload(brief, count));
        EXPECT_EQ(gate->ran, 1);
    };
    Loop loop({.blocking_threads = 1});
    Context context(loop.world());
    loop.run_until_done(body(context, std::make_shared<Gate>()));
}

// Goal: past the queue's bound offload answers `unavailable` at once, and recovers.
TEST(Offload, FullQueueIsUnavailable) {
    auto body = [](Context& ctx) -> task<void> {
        auto gate = std::make_shared<std::counting_semaphore<>>(0);
        auto started = std::make_shared<std::binary_semaphore>(0);
        std::optional<Result<int>> outcomes[4];
        Scope scope(ctx);
        scope.spawn(store(
            ctx,
            [=]() -> Result<int> {
                started->release();
                gate->acquire();
                return 0;
            },
            outcomes[0]));
        started->acquire(); // the only thread is busy from here
        for (int i = 1; i < 3; ++i)
            scope.spawn(store(ctx, [=]() -> Result<int> { return i; }, outcomes[i]));
        scope.spawn(store(ctx, [] -> Result<int> { return 3; }, outcomes[3]));
        EXPECT_TRUE(outcomes[3].has_value()) << "answered at once";
        gate->release();
        co_await scope.join();
        EXPECT_EQ(outcomes[3]->error().kind(), Kind::unavailable);
        for (int i = 0; i < 3; ++i)
            EXPECT_EQ(outcomes[i]->value(), i);
        EXPECT_TRUE(co_await offload(ctx, []() -> Result<int> { return 5; }));
    };
    Loop loop({.blocking_threads = 1, .blocking_queue = 2});
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: a loop that ends waits for work that has begun and drops what has not.
TEST(Offload, EndLoopJoinsRunningWork) {
    std::atomic<int> ran = 0;
    {
        Loop loop({.blocking_threads = 1});
        std::binary_semaphore started(0);
        auto& world = loop.world();
        EXPECT_TRUE(world.submit_blocking([&] {
            started.release();
            ++ran;
            world.post([] {});
        }));
        started.acquire();
    }
    EXPECT_EQ(ran, 1);
}

// Goal: a worker keeps the order, runs on its own named thread, and its destructor finishes everything.
TEST(Worker, RunsInOrderAndDrains) {
    Loop loop;
    std::vector<int> order;
    std::string name;
    {
        auto worker = loop.world().start_worker("a-rather-long-name");
        worker->submit([&name] {
            std::array<char, 32> text{};
            ::pthread_getname_np(::pthread_self(), text.data(), text.size());
            name = text.data();
        });
        for (int i = 0; i < 1000; ++i)
            worker->submit([&order, i] { order.push_back(i); });
    }
    EXPECT_EQ(name, "a-rather-long-n");
    ASSERT_EQ(order.size(), 1000U);
    EXPECT_TRUE(std::ranges::is_sorted(order));
}

// Goal: work may submit more work to its own worker; the destructor finishes that too.
TEST(Worker, SubmitFromWorkDrains) {
    Loop loop;
    std::atomic<int> count = 0;
    {
        auto worker = loop.world().start_worker("chain");
        struct Chain {
            Worker& worker;
            std::atomic<int>& count;
            void operator()() const {
                if (++count < 50) worker.submit(Chain{worker, count});
            }
        };
        worker->submit(Chain{*worker, count});
    }
    EXPECT_EQ(count, 50);
}

} // namespace
} // namespace flotilla::offload_test
