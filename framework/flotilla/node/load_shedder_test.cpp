#include <flotilla/node/load_shedder.hpp>

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/manual_world.hpp>

namespace flotilla::load_shedder_test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kBegin = 20ms;
constexpr int kQueue = LoadShedder::kQueueMin + 1; ///< requests in a turn

class LoadShedderTest : public testing::Test {
protected:
    /// A request that may have waited so long, `in_turn` of it since its turn began.
    Result<void> request(Duration waited, Criticality criticality = Criticality::normal, Duration in_turn = 1s) {
        world.behind = waited;
        world.in_turn = std::min(in_turn, waited);
        context.criticality = criticality;
        return shedder.admit(context);
    }
    /// Turns of so many requests that all have waited so long, one turn a millisecond. How many are refused.
    int turns(int count, Duration waited, int requests = kQueue) {
        int refused = 0;
        for (int i = 0; i < count; ++i) {
            world.advance(world.at + 1ms);
            for (int each = 0; each < requests; ++each)
                if (!request(waited)) ++refused;
        }
        return refused;
    }
    /// Looks at a loop that sleeps a little.
    void idle_for(int looks) {
        for (int i = 0; i < looks; ++i) {
            world.idle += 12ms;
            world.advance(world.at + LoadShedder::kLook);
        }
    }
    void overload() {
        turns(102, 25ms);
        ASSERT_TRUE(shedder.shedding());
    }
    bool exports(std::string_view line) const { return telemetry.metrics.prometheus_text().contains(line); }

    ManualWorld world;
    Context context{world};
    std::vector<std::string> lines;
    Telemetry telemetry{Logger(
        "order-service", LogLevel::info, Logger::Format::json,
        [this](std::string_view line) { lines.emplace_back(line); }, [this] { return world.now(); })};
    LoadShedder shedder{world, telemetry, kBegin, "0"};
};

// Goal: neither a burst, nor one long turn, nor waits below the bound for ever make it refuse anything.
TEST_F(LoadShedderTest, WhatPassesBySoonShedsNothing) {
    EXPECT_EQ(turns(99, 500ms), 0);
    world.advance(world.at + 1s);
    EXPECT_EQ(turns(99, 500ms), 0); // another burst
    EXPECT_FALSE(shedder.shedding());
    EXPECT_EQ(turns(13, 1ms), 0); // caught up
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(turns(10, 60ms), 0);
        EXPECT_EQ(turns(10, 1ms), 0);
    }
    EXPECT_EQ(turns(10'000, kBegin - 1us), 0);
    EXPECT_FALSE(shedder.shedding());
    EXPECT_TRUE(lines.empty());
}

// Goal: a few clients that wait for each other's slow requests are no overload: five whose requests take 30 ms each are
// all answered within 150 ms, and nobody is helped by refusing one. It is one when it takes long for any client.
TEST_F(LoadShedderTest, AFewAtATimeAreNoQueue) {
    EXPECT_EQ(turns(1000, 60ms, LoadShedder::kQueueMin), 0);
    EXPECT_EQ(turns(1000, 150ms, 5), 0);
    EXPECT_EQ(turns(1000, 10s, LoadShedder::kFew), 0);
    EXPECT_FALSE(shedder.shedding());
    EXPECT_GT(turns(102, LoadShedder::kLongWait * kBegin, LoadShedder::kFew + 1), 0);
    EXPECT_TRUE(shedder.shedding());
}

// Goal: it begins once requests have waited 20 ms for 100 ms, also when a few among them had luck.
TEST_F(LoadShedderTest, SustainedWaitsBeginIt) {
    for (int i = 0; i < 10; ++i) {
        turns(9, kBegin);
        turns(1, 0ms);
    }
    EXPECT_FALSE(shedder.shedding());
    EXPECT_GT(turns(5, kBegin), 0);
    EXPECT_TRUE(shedder.shedding());
    EXPECT_TRUE(exports("flotilla_load_shedding{loop=\"0\"} 1\n"));
}

// Goal: a loop whose requests take very long is overloaded as well, though few come in the time.
TEST_F(LoadShedderTest, SlowRequestsBeginItToo) {
    for (int i = 0; i < 3; ++i) {
        world.advance(world.at + 149ms);
        turns(1, 150ms);
    }
    EXPECT_TRUE(shedder.shedding());
}

// Goal: the answer says what is the matter and asks to come back later.
TEST_F(LoadShedderTest, RefusesInWords) {
    overload();
    const auto refused = request(25ms);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::unavailable);
    EXPECT_EQ(refused.error().code(), overloaded.code);
    EXPECT_EQ(refused.error().message(), "too busy to take up this request in time, try again later");
}

// Goal: while it sheds, each criticality may have waited for another time, and the first of a turn are begun always.
TEST_F(LoadShedderTest, WhatIsLessCriticalMayWaitLess) {
    overload();
    world.advance(world.at + 150ms); // the refusals of the beginning hold no longer
    EXPECT_TRUE(request(1ms, Criticality::sheddable));
    EXPECT_TRUE(request(2ms, Criticality::normal));
    EXPECT_TRUE(request(190ms, Criticality::critical));
    EXPECT_FALSE(request(1500us, Criticality::sheddable));
    EXPECT_FALSE(request(3ms, Criticality::normal));
    EXPECT_FALSE(request(210ms, Criticality::critical));
    EXPECT_TRUE(request(300ms, Criticality::critical, 1ms));
    EXPECT_TRUE(exports("flotilla_requests_shed_total{criticality=\"critical\"} 1\n"));
}

// Goal: a loop that sleeps while it sheds could do more, so that longer waits are allowed, but never longer than those
// at which it began; one that does not allows less again.
TEST_F(LoadShedderTest, WaitsAllowedFollowTheLoop) {
    overload();
    for (const Duration allowed : {2500us, 5000us, 10'000us, 20'000us}) {
        EXPECT_TRUE(request(allowed - 1us));
        EXPECT_FALSE(request(allowed));
        if (allowed < kBegin) idle_for(1);
    }
    world.advance(world.at + LoadShedder::kLook); // no sleep
    EXPECT_TRUE(request(9ms));
    EXPECT_FALSE(request(10ms));
}

// Goal: as long as something is refused, nothing that is less critical is begun, however little it has waited.
TEST_F(LoadShedderTest, OrderIsKept) {
    overload();
    EXPECT_FALSE(request(6ms, Criticality::normal));
    EXPECT_FALSE(request(0ms, Criticality::sheddable));
    EXPECT_TRUE(request(0ms, Criticality::normal));
    EXPECT_FALSE(request(210ms, Criticality::critical));
    EXPECT_FALSE(request(0ms, Criticality::normal));
    EXPECT_TRUE(request(0ms, Criticality::critical));
    world.pass(21ms);
    EXPECT_TRUE(request(0ms, Criticality::sheddable));
}

// Goal: it ends when the loop finds time to sleep; the log has one line for the begin and one for the end of
// thousands, the metrics have each.
TEST_F(LoadShedderTest, IdleLoopEndsIt) {
    overload();
    EXPECT_EQ(turns(3000, 25ms), 3000 * kQueue);
    EXPECT_TRUE(shedder.shedding());
    world.idle += 9ms; // of 200
    world.advance(world.at + LoadShedder::kLook);
    EXPECT_TRUE(shedder.shedding());
    idle_for(LoadShedder::kEaseMax);
    EXPECT_TRUE(shedder.shedding());
    idle_for(1);
    EXPECT_FALSE(shedder.shedding());
    EXPECT_TRUE(request(10ms));
    turns(102, 25ms); // it was not over
    EXPECT_TRUE(shedder.shedding());
    idle_for(LoadShedder::kEaseMax + 1 + LoadShedder::kCalm / LoadShedder::kLook);
    EXPECT_FALSE(shedder.in_overload());
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_TRUE(lines[0].contains(R"("level":"warning")")) << lines[0];
    EXPECT_TRUE(lines[0].contains(R"("message":"load shedding began","loop":"0","waited_ms":25)")) << lines[0];
    EXPECT_TRUE(lines[1].contains(R"("message":"load shedding ended","loop":"0")")) << lines[1];
    const auto refused = std::to_string(3000 * kQueue + 2 * (1 + kQueue)); // each begin with the last of a turn
    EXPECT_TRUE(lines[1].contains(R"("shed_sheddable":0,"shed_normal":)" + refused + R"(,"shed_critical":0)"))
        << lines[1];
    EXPECT_TRUE(exports("flotilla_requests_shed_total{criticality=\"normal\"} " + refused + "\n"));
    EXPECT_TRUE(exports("flotilla_load_shedding{loop=\"0\"} 0\n"));
}

// Goal: what waited past its deadline, or for a caller who has gone, is not begun, overload or not.
TEST_F(LoadShedderTest, CancelledRequestIsNotBegun) {
    Context late(context, 0ms);
    const auto refused = shedder.admit(late);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::deadline_exceeded);
}

// Goal: zero turns it off.
TEST_F(LoadShedderTest, ZeroTurnsItOff) {
    LoadShedder off(world, telemetry, Duration::zero(), "off");
    world.behind = 10s;
    for (int i = 0; i < 1000; ++i) {
        world.pass(1ms);
        EXPECT_TRUE(off.admit(context));
    }
}

// Goal: whatever comes, a refused request would not have been begun had it been less critical or waited longer, and a
// loop that is refused everything else still begins the first of each turn.
TEST_F(LoadShedderTest, OrderHoldsOverRandomEvents) {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        std::mt19937 random(seed);
        overload();
        for (int i = 0; i < 400; ++i) {
            world.pass(std::chrono::microseconds(random() % 5000));
            const Duration waited = std::chrono::microseconds(random() % 250'000);
            const Duration in_turn = std::chrono::microseconds(random() % 30'000);
            const auto criticality = static_cast<Criticality>(random() % kCriticalities);
            if (request(waited, criticality, in_turn)) continue;
            if (criticality != Criticality::sheddable) {
                EXPECT_FALSE(request(0ms, Criticality::sheddable)) << seed;
            }
            EXPECT_FALSE(request(waited + 1ms, criticality, in_turn + 1ms)) << seed;
            EXPECT_TRUE(request(250ms, Criticality::critical, 0ms)) << seed;
        }
    }
}

} // namespace
} // namespace flotilla::load_shedder_test
