// The pieces together, as a target puts them together, over simulated time: what callers see of instances that fail.

#include <deque>
#include <memory>
#include <random>

#include <gtest/gtest.h>

#include <flotilla/resilience/balancer.hpp>
#include <flotilla/resilience/retry_budget.hpp>
#include <flotilla/resilience/retry_schedule.hpp>

namespace flotilla::bad_instance_test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};
constexpr Duration kWarmUp = 5s;

/// Calls, one after the other at random distances, to three instances; each call is a loop over its tries.
class Simulation {
public:
    struct Setup {
        std::uint64_t seed = 1;
        int callers = 1; ///< each with a balancer of its own; they share the budget
        double calls_per_second = 20;
        TargetOptions options{};
    };
    /// Whether a call to an instance fails at a moment.
    using Fails = std::function<bool(std::size_t instance, Instant now, std::mt19937_64& random)>;

    Simulation(Setup setup, Fails fails) : setup_(std::move(setup)), fails_(std::move(fails)), random_(setup_.seed) {
        for (int i = 0; i < setup_.callers; ++i)
            callers_.emplace_back(setup_.options);
    }

    void run_until(Instant end) {
        std::exponential_distribution<double> distance(setup_.calls_per_second);
        while (now < end) {
            now += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(distance(random_)));
            call(callers_[random_() % callers_.size()]);
        }
    }

    struct Counts {
        int calls = 0, good = 0, tries = 0;
        std::array<int, 3> to{};
    };
    Counts all, later; ///< since the warm-up
    Instant now = kStart;
    std::optional<Instant> first_good_after; ///< the last call of expect_good()
    void expect_good() { first_good_after.reset(); }

private:
    struct Caller {
        explicit Caller(const TargetOptions& options) : balancer(options) {
            for (const std::string id : {"a", "b", "c"})
                owned.push_back(std::make_unique<InstanceState>(id, 1, true));
            for (const auto& one : owned)
                list.push_back(one.get());
            balancer.assign(list, kStart);
        }
        std::vector<std::unique_ptr<InstanceState>> owned;
        std::vector<InstanceState*> list;
        Balancer balancer;
    };

    void call(Caller& caller) {
        RetrySchedule schedule(RetryProfile::in_request, setup_.options, {now + 1s});
        std::vector<const InstanceState*> tried;
        bool good = try_once(caller, tried);
        while (!good) {
            const bool other_left = caller.balancer.pick({.tried = tried}, now, random_()).instance != nullptr;
            const auto next = schedule.next(now, other_left, {}, random_());
            auto permit = next.retry ? budget_.try_acquire(now) : std::nullopt;
            if (!permit) break;
            now += next.wait;
            permit->use(now);
            if (!other_left) tried.clear();
            good = try_once(caller, tried);
        }
        count([&](Counts& counts) {
            ++counts.calls;
            counts.good += good;
        });
    }

    bool try_once(Caller& caller, std::vector<const InstanceState*>& tried) {
        auto* instance = caller.balancer.pick({.tried = tried}, now, random_()).instance;
        EXPECT_NE(instance, nullptr) << "the pool is empty";
        if (instance == nullptr) return false;
        tried.push_back(instance);
        const auto index = static_cast<std::size_t>(std::ranges::find(caller.list, instance) - caller.list.begin());
        count([&](Counts& counts) {
            ++counts.tries;
            ++counts.to[index];
        });
        auto call = caller.balancer.begin(*instance, now);
        const bool fails = fails_(index, now, random_);
        now += std::chrono::microseconds(fails ? 100 + random_() % 900 : 500 + random_() % 4000);
        caller.balancer.report(*instance, call, fails ? CallOutcome::failure : CallOutcome::success, {}, now);
        caller.balancer.end(*instance, call, now);
        if (fails) return false;
        budget_.note_success(now);
        if (!first_good_after) first_good_after = now;
        return true;
    }

    void count(const auto& add) {
        add(all);
        if (now >= kStart + kWarmUp) add(later);
    }

    Setup setup_;
    Fails fails_;
    std::mt19937_64 random_;
    RetryFloor floor_;
    RetryBudget budget_{setup_.options.budget, floor_};
    std::deque<Caller> callers_;
};

bool three_in_ten_of_the_first(std::size_t instance, Instant, std::mt19937_64& random) {
    return instance == 0 && random() % 10 < 3;
}

/// Over some seeds: the part of calls that succeed, and of the traffic after the warm-up that the first instance gets.
struct Outcome {
    double success, share, worst_share;
};
Outcome outcome_of(Simulation::Setup setup, const Simulation::Fails& fails) {
    Simulation::Counts all, later;
    double worst = 0;
    for (setup.seed = 1; setup.seed <= 30; ++setup.seed) {
        Simulation simulation(setup, fails);
        simulation.run_until(kStart + 60s);
        all.calls += simulation.all.calls;
        all.good += simulation.all.good;
        later.tries += simulation.later.tries;
        later.to[0] += simulation.later.to[0];
        worst = std::max(worst, double(simulation.later.to[0]) / simulation.later.tries);
    }
    return {double(all.good) / all.calls, double(later.to[0]) / later.tries, worst};
}

// Goal: one of three fails three in ten of its calls, fast: callers hardly see it, and after 5 s it has hardly any
// traffic, whether one caller makes 20 calls a second or three make them together.
TEST(BadInstance, OneOfThreeThatFailsThreeInTenIsLeftAlone) {
    for (const int callers : {1, 3}) {
        SCOPED_TRACE(std::to_string(callers) + " callers");
        const auto outcome = outcome_of({.callers = callers}, three_in_ten_of_the_first);
        EXPECT_GE(outcome.success, 0.999);
        EXPECT_LE(outcome.share, 0.05);
        EXPECT_LE(outcome.worst_share, 0.08);
    }
}

// Goal: that is what the penalty is for: without it, and without the breaker, a third of the traffic goes there.
TEST(BadInstance, WithoutPenaltyAndBreakerItKeepsItsShare) {
    TargetOptions options;
    options.balancing.failure_penalty = 0;
    options.breaker.failures = options.breaker.calls_min = 1'000'000;
    EXPECT_GT(outcome_of({.options = options}, three_in_ten_of_the_first).share, 0.25);
}

// Goal: policies that know no penalty have the breaker: it opens by the success rate.
TEST(BadInstance, TheBreakerAloneLeavesItAlone) {
    TargetOptions options;
    options.balancing.policy = BalancingPolicy::round_robin;
    const auto outcome = outcome_of({.options = options}, three_in_ten_of_the_first);
    EXPECT_GE(outcome.success, 0.999);
    EXPECT_LE(outcome.share, 0.05);
}

// Goal: all three are bad: calls go on, retries end, and the first good answer of whichever recovers is found within a
// second.
TEST(BadInstance, TheFirstOfThreeToRecoverIsFoundWithinASecond) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const auto recovers = static_cast<std::size_t>(seed % 3);
        const auto recovery = kStart + 10s + std::chrono::milliseconds(seed * 1371);
        Simulation simulation({.seed = seed}, [=](std::size_t instance, Instant now, auto&) {
            return now >= kStart + 5s && (instance != recovers || now < recovery);
        });
        simulation.run_until(recovery);
        simulation.expect_good();
        const auto before = simulation.all;
        EXPECT_LT(before.tries, before.calls * 1.1 + 25) << "retries end with the window";
        simulation.run_until(recovery + 30s);
        ASSERT_TRUE(simulation.first_good_after);
        EXPECT_LE(*simulation.first_good_after - recovery, 1s);
        EXPECT_GE(simulation.all.good - before.good, (simulation.all.calls - before.calls) * 0.97);
    }
}

// Goal: after an outage of all of them the first that is well does not carry the load alone.
TEST(BadInstance, AfterAnOutageAllAreUsedAgain) {
    for (const int callers : {1, 3}) {
        std::array<int, 3> to{};
        int tries = 0;
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            Simulation simulation({.seed = seed, .callers = callers}, [](std::size_t, Instant now, auto&) {
                return now >= kStart + 5s && now < kStart + 15s;
            });
            simulation.run_until(kStart + 17s);
            const auto before = simulation.all;
            simulation.run_until(kStart + 27s);
            tries += simulation.all.tries - before.tries;
            for (std::size_t i = 0; i < to.size(); ++i)
                to[i] += simulation.all.to[i] - before.to[i];
            EXPECT_EQ(simulation.all.good - before.good, simulation.all.calls - before.calls);
        }
        for (const auto part : to)
            EXPECT_NEAR(double(part) / tries, 1. / 3, 0.05);
    }
}

// Goal: an instance that is gone costs some calls a retry and no call its success; healthy ones carry its load evenly.
TEST(BadInstance, OneThatIsGoneCostsNoCall) {
    const auto outcome = outcome_of({.calls_per_second = 200}, [](std::size_t instance, Instant now, auto&) {
        return instance == 0 && now > kStart + 2s;
    });
    EXPECT_GE(outcome.success, 0.9999);
    EXPECT_LE(outcome.share, 0.01);
}

} // namespace
} // namespace flotilla::bad_instance_test
