#include <flotilla/resilience/breaker.hpp>

#include <random>

#include <gtest/gtest.h>

namespace flotilla::breaker_test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

/// A breaker with a clock.
struct Watched {
    BreakerOptions options;
    Breaker breaker;
    Instant now = kStart;

    Breaker::Ticket begin() { return breaker.begin(options, now); }
    void report(Breaker::Ticket ticket, CallOutcome outcome) { breaker.report(options, ticket, outcome, now); }
    void call(CallOutcome outcome, int times = 1) {
        for (int i = 0; i < times; ++i)
            report(begin(), outcome);
    }
    BreakerState after(Duration time) {
        now += time;
        breaker.advance(options, now);
        return breaker.state();
    }
};

// Goal: five failures in a row open it, as the requirements say; a success in between begins the count anew.
TEST(Breaker, FiveFailuresInARowOpenIt) {
    Watched it;
    it.call(CallOutcome::failure, 4);
    it.call(CallOutcome::success);
    it.call(CallOutcome::failure, 4);
    EXPECT_EQ(it.breaker.state(), BreakerState::closed);
    EXPECT_EQ(it.breaker.failures_in_a_row(), 4U);

    it.call(CallOutcome::failure);
    EXPECT_EQ(it.breaker.state(), BreakerState::open);
    EXPECT_EQ(it.breaker.opened_by(), BreakerCause::failures);
    EXPECT_EQ(it.breaker.detail(it.now + 17500ms), "OPEN for another 43s: failures in a row");
    EXPECT_EQ(it.after(60s - 1ns), BreakerState::open);
    EXPECT_EQ(it.after(1ns), BreakerState::half_open);
    EXPECT_EQ(it.breaker.detail(it.now), "HALF_OPEN: the open time is over");
}

// Goal: an instance that fails three in ten never fails five in a row, and is opened by its success rate.
TEST(Breaker, LowSuccessRateOpensItOnceThereAreEnoughCalls) {
    Watched it;
    for (int call = 1; call <= 19; ++call) {
        it.now += 100ms;
        it.call(call % 10 < 3 ? CallOutcome::failure : CallOutcome::success);
    }
    EXPECT_EQ(it.breaker.state(), BreakerState::closed) << "19 calls say nothing";
    it.call(CallOutcome::failure);
    EXPECT_EQ(it.breaker.state(), BreakerState::open);
    EXPECT_EQ(it.breaker.opened_by(), BreakerCause::success_rate);
}

// Goal: what fell out of the window counts no more.
TEST(Breaker, FailuresOlderThanTheWindowAreForgotten) {
    Watched it;
    it.options.failures = 1000;
    it.call(CallOutcome::failure, 19);
    it.now += it.options.window;
    it.call(CallOutcome::failure);
    EXPECT_EQ(it.breaker.window().calls(), 1U);
    EXPECT_EQ(it.breaker.state(), BreakerState::closed);
}

// Goal: the caller's own mistakes, its leaving, and an instance's refusal for load open nothing.
TEST(Breaker, IgnoredAndOverloadedOutcomesDoNotCount) {
    Watched it;
    it.call(CallOutcome::ignored, 100);
    it.call(CallOutcome::overloaded, 100);
    EXPECT_EQ(it.breaker.state(), BreakerState::closed);
    EXPECT_EQ(it.breaker.window().calls(), 0U);
}

// Goal: HALF_OPEN lets so many probes through at a time, several successes close it.
TEST(Breaker, ProbesCloseIt) {
    Watched it;
    it.options.probes = 2;
    it.call(CallOutcome::failure, 5);
    ASSERT_EQ(it.after(60s), BreakerState::half_open);

    const auto first = it.begin();
    ASSERT_TRUE(it.breaker.wants_probe(it.options));
    const auto second = it.begin();
    EXPECT_FALSE(it.breaker.wants_probe(it.options));
    EXPECT_TRUE(first.probe && second.probe);
    EXPECT_FALSE(it.begin().probe) << "a call that comes nevertheless takes no place";
    it.report(first, CallOutcome::success);
    EXPECT_TRUE(it.breaker.wants_probe(it.options));
    it.report(second, CallOutcome::success);
    EXPECT_EQ(it.breaker.state(), BreakerState::half_open);
    it.call(CallOutcome::success);
    EXPECT_EQ(it.breaker.state(), BreakerState::closed);
}

// Goal: while it keeps failing it is open for longer and longer, up to the ceiling; when it was well for as long as it
// was open it begins from the start.
TEST(Breaker, OpenTimeGrowsWhileItKeepsFailing) {
    Watched it;
    it.call(CallOutcome::failure, 5);
    for (const auto expected : {60s, 120s, 240s, 300s, 300s}) {
        EXPECT_EQ(it.breaker.open_until(), it.now + expected);
        ASSERT_EQ(it.after(expected), BreakerState::half_open);
        it.call(CallOutcome::failure);
        ASSERT_EQ(it.breaker.state(), BreakerState::open);
        ASSERT_EQ(it.breaker.opened_by(), BreakerCause::probe_failed);
    }
    it.after(300s);
    it.call(CallOutcome::success, 3);
    it.now += 299s;
    it.call(CallOutcome::failure, 5);
    EXPECT_EQ(it.breaker.open_until(), it.now + 300s) << "it fails again soon";
    it.after(300s);
    it.call(CallOutcome::success, 3);
    it.now += 300s;
    it.call(CallOutcome::failure, 5);
    EXPECT_EQ(it.breaker.open_until(), it.now + 60s);
}

// Goal: a probe that never reports does not leave it HALF_OPEN (resilience4j 935, 2093, 2289), and neither does one
// that is given up.
TEST(Breaker, ProbesThatNeverReportDoNotLeaveItHalfOpen) {
    Watched it;
    it.call(CallOutcome::failure, 5);
    it.after(60s);
    const auto lost = it.begin();
    EXPECT_FALSE(it.breaker.wants_probe(it.options));
    EXPECT_EQ(it.breaker.next_change(), it.now + 10s);
    ASSERT_EQ(it.after(10s), BreakerState::open);
    EXPECT_EQ(it.breaker.opened_by(), BreakerCause::probe_unreported);
    it.report(lost, CallOutcome::success);
    EXPECT_EQ(it.breaker.state(), BreakerState::open) << "it comes too late to count";

    it.after(120s);
    it.call(CallOutcome::ignored);
    EXPECT_EQ(it.breaker.state(), BreakerState::half_open);
    EXPECT_TRUE(it.breaker.wants_probe(it.options)) << "its place is free again";
    EXPECT_EQ(it.breaker.next_change(), Instant::max());
}

// Goal: a call that began before a transition does not count behind it.
TEST(Breaker, OutcomesOfCallsBegunBeforeATransitionDoNotCount) {
    Watched it;
    const auto slow_success = it.begin();
    const auto slow_failure = it.begin();
    it.call(CallOutcome::failure, 5);
    it.report(slow_success, CallOutcome::success);
    EXPECT_EQ(it.breaker.state(), BreakerState::open);
    it.after(60s);
    it.report(slow_failure, CallOutcome::failure);
    EXPECT_EQ(it.breaker.state(), BreakerState::half_open);
}

// Goal: a passing health check or a new registration tries it out at once; elsewhere it changes nothing.
TEST(Breaker, AChanceTriesItOutAtOnce) {
    Watched it;
    it.breaker.give_chance(it.now);
    EXPECT_EQ(it.breaker.state(), BreakerState::closed);
    it.call(CallOutcome::failure, 5);
    it.breaker.give_chance(it.now);
    EXPECT_EQ(it.breaker.state(), BreakerState::half_open);
    it.call(CallOutcome::success);
    it.breaker.give_chance(it.now);
    it.call(CallOutcome::success, 2);
    EXPECT_EQ(it.breaker.state(), BreakerState::closed);
}

// Goal: a chance that fails is no news: it is open for as long as before, not longer.
TEST(Breaker, AChanceThatFailsDoublesNothing) {
    Watched it;
    it.call(CallOutcome::failure, 5);
    for (int i = 0; i < 3; ++i) {
        it.now += 1s;
        it.breaker.give_chance(it.now);
        it.call(CallOutcome::failure);
        EXPECT_EQ(it.breaker.open_until(), it.now + 60s);
    }
    it.after(60s);
    it.call(CallOutcome::failure);
    EXPECT_EQ(it.breaker.open_until(), it.now + 120s);
}

// Goal: in a panic OPEN instances are called, and the first good answer is a sign of recovery.
TEST(Breaker, ASuccessWhileOpenMakesItHalfOpen) {
    Watched it;
    it.call(CallOutcome::failure, 5);
    it.call(CallOutcome::failure, 5);
    EXPECT_EQ(it.breaker.open_until(), it.now + 60s) << "failures while OPEN are no news";
    it.call(CallOutcome::success);
    EXPECT_EQ(it.breaker.state(), BreakerState::half_open);
    it.call(CallOutcome::success, 2);
    EXPECT_EQ(it.breaker.state(), BreakerState::closed);
}

// Goal: log line and metric hear of each change once, with its cause.
TEST(Breaker, ChangesAreTakenOnce) {
    Watched it;
    EXPECT_FALSE(it.breaker.take_change());
    it.call(CallOutcome::failure, 5);
    const auto opened = it.breaker.take_change();
    ASSERT_TRUE(opened);
    EXPECT_EQ(name(opened->from), "CLOSED");
    EXPECT_EQ(name(opened->to), "OPEN");
    EXPECT_EQ(describe(opened->cause), "failures in a row");
    EXPECT_FALSE(it.breaker.take_change());
    it.after(60s);
    it.call(CallOutcome::failure);
    EXPECT_EQ(it.breaker.take_change()->cause, BreakerCause::probe_failed) << "through HALF_OPEN and back is one";
}

/// One step of a random life: calls begin, end in any order or never, time passes, chances come.
class RandomLife {
public:
    explicit RandomLife(std::uint64_t seed) : random_(seed) {
        it_.options = {
            .failures = draw(1, 6), .calls_min = draw(1, 30), .probes = draw(1, 3), .probe_successes = draw(1, 4)};
    }
    void step() {
        const auto before = it_.breaker.state();
        const auto until = it_.breaker.next_change();
        const auto what = draw(0, 9);
        if (what < 4)
            begin();
        else if (what < 7)
            report();
        else if (what == 7 && !calls_.empty())
            calls_.pop_back(); // never reports
        else if (what == 8)
            it_.now += std::chrono::milliseconds(draw(0, 30'000));
        else if (draw(0, 9) == 0)
            it_.breaker.give_chance(it_.now);
        it_.breaker.advance(it_.options, it_.now);
        check(before, until);
    }
    void end_of_all_calls() {
        // However it was left: time and successes alone close it.
        for (int i = 0; i < 20 && it_.breaker.state() != BreakerState::closed; ++i) {
            it_.after(it_.options.open_max);
            it_.call(CallOutcome::success, 4);
        }
        EXPECT_EQ(it_.breaker.state(), BreakerState::closed) << "stuck";
    }

private:
    std::uint32_t draw(std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random_);
    }
    void begin() { calls_.push_back(it_.begin()); }
    void report() {
        if (calls_.empty()) return;
        const auto at = draw(0, static_cast<std::uint32_t>(calls_.size()) - 1);
        it_.breaker.report(it_.options, calls_[at], static_cast<CallOutcome>(draw(0, 3)), it_.now);
        calls_.erase(calls_.begin() + at);
    }
    void check(BreakerState before, Instant until) {
        const auto state = it_.breaker.state();
        ASSERT_GT(it_.breaker.next_change(), it_.now) << "what time brings is done";
        if (before == BreakerState::open && it_.options.probe_successes > 1)
            ASSERT_NE(state, BreakerState::closed) << "only probes close it";
        if (state == BreakerState::open) {
            ASSERT_LE(it_.breaker.open_until() - it_.now, it_.options.open_max);
            if (before != BreakerState::open) ASSERT_GE(it_.breaker.open_until() - it_.now, it_.options.open);
        }
        if (before == BreakerState::half_open && until <= it_.now) ASSERT_NE(state, BreakerState::half_open) << "stuck";
        if (state == BreakerState::half_open && !it_.breaker.wants_probe(it_.options))
            ASSERT_LE(it_.breaker.next_change() - it_.now, it_.options.probe_timeout)
                << "nobody may try it out, for ever";
        ASSERT_LT(it_.breaker.failures_in_a_row(), it_.options.failures);
    }

    std::mt19937_64 random_;
    Watched it_;
    std::vector<Breaker::Ticket> calls_;
};

// Goal: over random lives, lost calls included, no state is kept for longer than its limit and every breaker can close.
TEST(Breaker, RandomLivesKeepItsInvariants) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RandomLife life(seed);
        for (int i = 0; i < 400 && !testing::Test::HasFailure(); ++i)
            life.step();
        life.end_of_all_calls();
        if (testing::Test::HasFailure()) return;
    }
}

// Goal: sums agree with a list of all events.
TEST(SlidingWindow, CountsWhatAListOfEventsCounts) {
    std::mt19937_64 random(7);
    SlidingWindow window;
    std::vector<std::pair<Instant, bool>> events;
    Instant now = kStart;
    for (int i = 0; i < 1000; ++i) {
        now += std::chrono::milliseconds(random() % 700);
        if (random() % 500 == 0) now += 60s;
        const bool success = random() % 3 != 0;
        window.add(success, 10s, now);
        events.emplace_back(now, success);
        const auto bucket = now.time_since_epoch() / 1s; // a tenth of the window
        const auto counts = [&](const auto& event) { return bucket - event.first.time_since_epoch() / 1s < 10; };
        ASSERT_EQ(window.calls(), std::ranges::count_if(events, counts)) << i;
        ASSERT_EQ(window.failures(), std::ranges::count_if(events, [&](auto& e) { return counts(e) && !e.second; }));
    }
}

} // namespace
} // namespace flotilla::breaker_test
