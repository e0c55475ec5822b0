#include <flotilla/aio/blocking_pool.hpp>

#include <atomic>
#include <latch>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace flotilla::blocking_pool_test {
namespace {

using namespace std::chrono_literals;

// Goal: the pool says how much waits and how many threads are busy, and forgets it when the work is done.
TEST(BlockingPool, LoadCountsWaitingAndBusy) {
    BlockingPool pool(1, 10);
    std::latch entered(1);
    std::latch open(1);
    EXPECT_EQ(pool.load().busy + pool.load().waiting, 0u);
    ASSERT_TRUE(pool.submit([&] {
        entered.count_down();
        open.wait();
    }));
    entered.wait();
    ASSERT_TRUE(pool.submit([] {}));
    ASSERT_TRUE(pool.submit([] {}));
    EXPECT_EQ(pool.load().busy, 1u);
    EXPECT_EQ(pool.load().waiting, 2u);
    open.count_down();
    while (pool.load().busy + pool.load().waiting > 0)
        std::this_thread::yield();
}

std::atomic<Instant> now_of_test;

// Goal: work is begun in turn, until the oldest has waited too long: then what came last goes first, which has time
// left.
TEST(BlockingPool, NewestIsBegunFirstWhileTheOldestHasWaitedTooLong) {
    now_of_test = Instant{};
    BlockingPool pool(1, 10, [] { return now_of_test.load(); });
    const auto order_when_waited = [&](Duration waited) {
        std::string order;
        std::latch entered(1), open(1), done(3);
        EXPECT_TRUE(pool.submit([&] {
            entered.count_down();
            open.wait();
        }));
        entered.wait();
        for (const char each : {'a', 'b', 'c'}) {
            EXPECT_TRUE(pool.submit([&order, &done, each] {
                order += each;
                done.count_down();
            }));
        }
        now_of_test = now_of_test.load() + waited;
        open.count_down();
        done.wait();
        return order;
    };
    EXPECT_EQ(order_when_waited(BlockingPool::kLongWait - 1ms), "abc");
    EXPECT_EQ(order_when_waited(BlockingPool::kLongWait), "cba");
    EXPECT_EQ(order_when_waited(0ms), "abc");
}

} // namespace
} // namespace flotilla::blocking_pool_test
