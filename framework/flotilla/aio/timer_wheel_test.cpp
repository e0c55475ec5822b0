#include <flotilla/aio/timer_wheel.hpp>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/manual_world.hpp>

namespace flotilla::timer_wheel_test {
namespace {

using namespace std::chrono_literals;

const Instant kOrigin = ManualWorld::kOrigin;

/// A timer that records when it fired.
struct Alarm {
    explicit Alarm(ManualWorld& owner) : world(owner) {}
    ManualWorld& world;
    std::vector<Instant> fired;
    std::function<void()> then = [] {};
    Timer timer{world,
                [](void* self) {
                    auto& alarm = *static_cast<Alarm*>(self);
                    alarm.fired.push_back(alarm.world.at);
                    alarm.then();
                },
                this};
};

// Goal: a timer fires in the first advance at or after its instant, never before.
TEST(TimerWheel, AdvanceFiresAtInstantNeverEarly) {
    for (const Duration delay :
         {1ns, 999'999ns, 1'000'000ns, 1'000'001ns, 63'000'000ns, 64'000'000ns, 65'000'001ns, 4'096'000'000ns}) {
        ManualWorld world;
        Alarm alarm(world);
        alarm.timer.arm(kOrigin + delay);
        world.advance(kOrigin + delay - 1ns);
        EXPECT_TRUE(alarm.fired.empty()) << delay;
        world.advance(kOrigin + delay + TimerWheel::kTick);
        EXPECT_EQ(alarm.fired.size(), 1U) << delay;
        EXPECT_FALSE(alarm.timer.armed());
    }
}

// Goal: an instant that has passed fires in the next tick.
TEST(TimerWheel, ArmInThePastFiresInNextTick) {
    ManualWorld world;
    world.advance(kOrigin + 10s);
    Alarm alarm(world);
    alarm.timer.arm(kOrigin + 1s);
    world.advance(kOrigin + 10s + 1ms);
    EXPECT_EQ(alarm.fired.size(), 1U);
}

// Goal: arming again moves the timer.
TEST(TimerWheel, ArmAgainMoves) {
    ManualWorld world;
    Alarm alarm(world);
    alarm.timer.arm(kOrigin + 10ms);
    alarm.timer.arm(kOrigin + 5s);
    EXPECT_EQ(world.wheel.armed(), 1U);
    world.advance(kOrigin + 4s);
    EXPECT_TRUE(alarm.fired.empty());
    alarm.timer.arm(kOrigin + 4s + 2ms);
    world.advance(kOrigin + 4s + 2ms);
    EXPECT_EQ(alarm.fired.size(), 1U);
}

// Goal: a disarmed or destroyed timer does not fire.
TEST(TimerWheel, DisarmOrDestroyNeverFires) {
    ManualWorld world;
    Alarm disarmed(world);
    disarmed.timer.arm(kOrigin + 5ms);
    {
        Alarm destroyed(world);
        destroyed.timer.arm(kOrigin + 5ms);
    }
    disarmed.timer.disarm();
    EXPECT_TRUE(world.wheel.empty());
    EXPECT_EQ(world.wheel.next_deadline(), std::nullopt);
    world.advance(kOrigin + 1s);
    EXPECT_TRUE(disarmed.fired.empty());
}

// Goal: timers years away wait, and fire.
TEST(TimerWheel, ArmYearsAwayFires) {
    ManualWorld world;
    Alarm year(world);
    Alarm century(world);
    Alarm never(world);
    year.timer.arm(kOrigin + 24h * 365);
    century.timer.arm(kOrigin + 24h * 365 * 200);
    never.timer.arm(Instant::max());
    world.advance(kOrigin + 24h * 365 - 1ms);
    EXPECT_TRUE(year.fired.empty());
    world.advance(kOrigin + 24h * 365 + 1ms);
    EXPECT_EQ(year.fired.size(), 1U);
    world.advance(kOrigin + 24h * 365 * 200 - 1ms);
    EXPECT_TRUE(century.fired.empty());
    world.advance(kOrigin + 24h * 365 * 200 + 1ms);
    EXPECT_EQ(century.fired.size(), 1U);
    EXPECT_TRUE(never.fired.empty());
    EXPECT_TRUE(never.timer.armed());
}

// Goal: a callback may arm its timer again; it fires in a later tick, so an advance always ends.
TEST(TimerWheel, CallbackRearmsForLaterTick) {
    ManualWorld world;
    Alarm alarm(world);
    alarm.then = [&] { alarm.timer.arm(world.at); };
    alarm.timer.arm(kOrigin + 1ms);
    world.advance(kOrigin + 1ms);
    EXPECT_EQ(alarm.fired.size(), 1U);
    world.advance(kOrigin + 10ms);
    EXPECT_GE(alarm.fired.size(), 2U);
    EXPECT_LE(alarm.fired.size(), 10U);
}

// Goal: a callback may disarm and destroy timers that are due in the same tick, in whatever order they come.
TEST(TimerWheel, CallbackDisarmsAndDestroysOthers) {
    ManualWorld world;
    auto first = std::make_unique<Alarm>(world);
    auto second = std::make_unique<Alarm>(world);
    Alarm third(world);
    Alarm fourth(world);
    int fired = 0;
    const auto end_others = [&] {
        ++fired;
        first.reset();
        third.timer.disarm();
        fourth.timer.disarm();
    };
    second->then = end_others;
    third.then = end_others;
    fourth.then = end_others;
    for (Timer* timer : {&first->timer, &second->timer, &third.timer, &fourth.timer})
        timer->arm(kOrigin + 3ms);
    first->then = [&] {
        ++fired;
        second.reset();
        third.timer.disarm();
        fourth.timer.disarm();
    };
    world.advance(kOrigin + 3ms);
    EXPECT_EQ(fired, 1);
    EXPECT_EQ(third.fired.size() + fourth.fired.size(), 0U);
    EXPECT_TRUE(world.wheel.empty());
}

// Goal: a timer may outlive its wheel.
TEST(TimerWheel, DestroyWheelDisarmsTimers) {
    auto world = std::make_unique<ManualWorld>();
    Alarm alarm(*world);
    alarm.timer.arm(kOrigin + 1h);
    world.reset();
    EXPECT_FALSE(alarm.timer.armed());
}

// Goal: an advance over a long idle time costs little, with and without timers.
TEST(TimerWheel, AdvanceOverYearsIsQuick) {
    ManualWorld world;
    world.advance(kOrigin + 24h * 365 * 50);
    Alarm alarm(world);
    alarm.timer.arm(world.at + 24h * 365 * 50);
    int steps = 0;
    while (const auto next = world.wheel.next_deadline()) {
        world.advance(*next);
        ++steps;
    }
    EXPECT_EQ(alarm.fired.size(), 1U);
    EXPECT_LE(steps, 8); // one per level
}

// Goal: against a sorted model with random arming, moving, disarming and steps, every timer fires exactly in its step,
// and next_deadline is never after the earliest timer.
TEST(TimerWheel, RandomUseMatchesSortedModel) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        ManualWorld world;
        std::vector<std::unique_ptr<Alarm>> alarms;
        for (int i = 0; i < 60; ++i)
            alarms.push_back(std::make_unique<Alarm>(world));
        std::map<Alarm*, Instant> model;
        // Spans of every size, so that all levels are used.
        const auto span = [&random] {
            return Duration(1 + static_cast<std::int64_t>(random() >> (20 + random() % 40)));
        };
        for (int step = 0; step < 2000; ++step) {
            for (std::uint64_t i = random() % 4; i > 0; --i) {
                Alarm& alarm = *alarms[random() % alarms.size()];
                if (random() % 4 == 0) {
                    alarm.timer.disarm();
                    model.erase(&alarm);
                } else {
                    model[&alarm] = world.at + span();
                    alarm.timer.arm(model[&alarm]);
                }
            }
            ASSERT_EQ(world.wheel.armed(), model.size());
            auto to = world.at + span();
            if (const auto next = world.wheel.next_deadline(); next && random() % 2 == 0)
                to = std::max(world.at, *next);
            for (const auto& [alarm, at] : model) {
                ASSERT_LE(*world.wheel.next_deadline(), std::max(at, world.at) + TimerWheel::kTick);
            }
            world.advance(to);
            for (const auto& alarm : alarms) {
                const auto armed = model.find(alarm.get());
                for (const Instant fired : alarm->fired) {
                    ASSERT_NE(armed, model.end()) << "seed " << seed;
                    ASSERT_GE(fired, armed->second) << "fired early, seed " << seed;
                }
                if (!alarm->fired.empty()) {
                    alarm->fired.clear();
                    model.erase(armed);
                } else if (armed != model.end()) {
                    ASSERT_GT(armed->second + TimerWheel::kTick, to) << "did not fire, seed " << seed;
                }
            }
        }
    }
}

} // namespace
} // namespace flotilla::timer_wheel_test
