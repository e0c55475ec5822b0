#include <flotilla/aio/blocking_pool.hpp>

#include <latch>
#include <thread>

#include <gtest/gtest.h>

namespace flotilla::blocking_pool_test {
namespace {

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

} // namespace
} // namespace flotilla::blocking_pool_test
