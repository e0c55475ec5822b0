#include <flotilla/observe/loop_watch.hpp>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/manual_world.hpp>

namespace flotilla::loop_watch_test {
namespace {

using namespace std::chrono_literals;

/// The value of a sample, as a scrape shows it; -1 when there is none.
double sample(const Metrics& metrics, const std::string& name) {
    const auto text = "\n" + metrics.prometheus_text();
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}
double lag_sum(const Metrics& metrics) { return sample(metrics, R"(flotilla_loop_lag_seconds_sum{loop="0"})"); }
double looks(const Metrics& metrics) { return sample(metrics, R"(flotilla_loop_lag_seconds_count{loop="0"})"); }

class LoopWatchTest : public testing::Test {
protected:
    LoopWatchTest() { watch.start(); }
    /// The loop turns every millisecond, as one does that has nothing else to do.
    void idle(Duration time) {
        for (const Instant end = world.at + time; world.at < end;)
            world.advance(world.at + 1ms);
    }
    /// The loop is in somebody's hands; it looks for work afterwards.
    void block(Duration time) {
        world.pass(time);
        world.longest_turn = std::max(world.longest_turn, time);
        world.advance(world.at);
    }

    ManualWorld world;
    Metrics metrics;
    LoopWatch watch{world, metrics, "0"};
};

// Goal: an idle loop has no lag: the timer's own resolution is none.
TEST_F(LoopWatchTest, IdleLoopHasNoLag) {
    idle(1s);
    EXPECT_GE(looks(metrics), 9);
    EXPECT_EQ(lag_sum(metrics), 0);
    EXPECT_EQ(sample(metrics, R"(flotilla_loop_lag_seconds_bucket{loop="0",le="0.0001"})"), looks(metrics));
}

// Goal: a loop that is blocked across a look is late by the rest of the block, and the whole block shows as well.
TEST_F(LoopWatchTest, BlockAcrossALookShowsWhole) {
    idle(50ms);
    block(700ms);
    EXPECT_EQ(looks(metrics), 1);
    EXPECT_DOUBLE_EQ(lag_sum(metrics), 0.7);
    EXPECT_EQ(sample(metrics, R"(flotilla_loop_lag_seconds_bucket{loop="0",le="0.5"})"), 0);
    EXPECT_EQ(sample(metrics, R"(flotilla_loop_lag_seconds_bucket{loop="0",le="1"})"), 1);
}

// Goal: a block between two looks delays no timer, and still shows. (With the timer alone this fails.)
TEST_F(LoopWatchTest, BlockBetweenLooksShows) {
    idle(20ms);
    block(60ms);
    EXPECT_EQ(looks(metrics), 0);
    idle(50ms);
    EXPECT_EQ(looks(metrics), 1);
    EXPECT_DOUBLE_EQ(lag_sum(metrics), 0.06);
    EXPECT_DOUBLE_EQ(sample(metrics, R"(flotilla_loop_turn_seconds_sum{loop="0"})"), 0.06);
    idle(100ms);
    EXPECT_DOUBLE_EQ(lag_sum(metrics), 0.06) << "counted twice";
}

// Goal: a process that did not get the CPU has no long turn, but its timer is late: the two tell the causes apart.
TEST_F(LoopWatchTest, StarvedLoopHasLagWithoutATurn) {
    idle(50ms);
    world.advance(world.at + 500ms);
    EXPECT_NEAR(lag_sum(metrics), 0.45, 0.005);
    EXPECT_EQ(sample(metrics, R"(flotilla_loop_turn_seconds_sum{loop="0"})"), 0);
}

// Goal: figures are published at each look, the pool's are read by the scrape.
TEST_F(LoopWatchTest, FiguresArePublished) {
    int published = 0;
    watch.publish([&] { ++published; });
    idle(210ms);
    EXPECT_EQ(published, 2);
    ASSERT_TRUE(world.submit_blocking([] {}));
    EXPECT_EQ(sample(metrics, R"(flotilla_blocking_waiting{loop="0"})"), 1);
    EXPECT_EQ(sample(metrics, R"(flotilla_blocking_busy{loop="0"})"), 0);
}

/// Keeps the thread to itself.
void spin(Duration time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
}

// Goal: on a real loop work that does not let go of it shows in the histogram, also when it is over before the next
// look; time asleep does not.
TEST(LoopWatchReal, BlockedLoopShowsInTheHistogram) {
    Loop loop;
    Metrics metrics;
    LoopWatch watch(loop.world(), metrics, "0");
    Context context(loop.world());
    auto blocking = [&](Context& own) -> task<void> {
        watch.start();
        EXPECT_TRUE(co_await sleep_for(own, 1ms));
        spin(40ms);
        while (looks(metrics) == 0)
            EXPECT_TRUE(co_await sleep_for(own, 1ms));
    };
    loop.run_until_done(blocking(context));
    EXPECT_GE(lag_sum(metrics), 0.04);
    EXPECT_LT(lag_sum(metrics), 0.1) << "time asleep counts";
}

} // namespace
} // namespace flotilla::loop_watch_test
