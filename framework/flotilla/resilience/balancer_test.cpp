#include <flotilla/resilience/balancer.hpp>

#include <cmath>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include <flotilla/resilience/test_pool.hpp>

namespace flotilla::balancer_test {
namespace {

using namespace test;

// Goal: among equals every policy is fair.
TEST(Balancer, EqualInstancesGetEqualShares) {
    for (const auto policy : kAllPolicies) {
        Pool pool(4, with(policy));
        for (const auto count : pool.shares(8000))
            EXPECT_NEAR(count, 2000, 200) << name(policy);
    }
}

// Goal: in turn means in turn.
TEST(Balancer, RoundRobinGoesInTurn) {
    Pool pool(3, with(BalancingPolicy::round_robin));
    for (std::size_t i = 0; i < 9; ++i)
        EXPECT_EQ(pool.index_of(pool.pick().instance), i % 3);
}

// Goal: weights are shares, also of the keys of a hash, and the weighted turn spreads them evenly.
TEST(Balancer, WeightsAreShares) {
    for (const auto policy : {BalancingPolicy::peak_ewma, BalancingPolicy::random, BalancingPolicy::weighted,
                              BalancingPolicy::least_requests, BalancingPolicy::consistent_hash}) {
        Pool pool(0, with(policy));
        pool.add("one", 1);
        pool.add("five", 5);
        pool.add("two", 2);
        pool.add("none", 0);
        pool.assign();
        std::map<InstanceState*, int> counts;
        for (std::uint64_t i = 0; i < 8000; ++i) {
            auto* instance = pool.pick({.key = stable_hash(std::to_string(i))}).instance;
            ++counts[instance];
            instance->began = pool.now += 1us;
        }
        EXPECT_NEAR(counts[pool.list[0]], 1000, 150) << name(policy);
        EXPECT_NEAR(counts[pool.list[1]], 5000, 250) << name(policy);
        EXPECT_NEAR(counts[pool.list[2]], 2000, 200) << name(policy);
        EXPECT_LE(counts[pool.list[3]], 1) << name(policy);
    }
    Pool pool(0, with(BalancingPolicy::weighted));
    pool.add("a", 5);
    pool.add("b", 1);
    pool.add("c", 1);
    pool.assign();
    std::string order;
    for (int i = 0; i < 7; ++i)
        order += "abc"[pool.index_of(pool.pick().instance)];
    EXPECT_EQ(order, "aabacaa"); // nginx's example
}

// Goal: least_requests and peak_ewma see what is in flight.
TEST(Balancer, BusyInstancesAreSpared) {
    for (const auto policy : {BalancingPolicy::least_requests, BalancingPolicy::peak_ewma}) {
        Pool pool(3, with(policy));
        std::vector<BalancedCall> calls;
        for (int i = 0; i < 3; ++i) {
            pool.balancer.begin(*pool.list[0], pool.now);
            pool.balancer.begin(*pool.list[1], pool.now);
        }
        EXPECT_GT(pool.shares(300)[2], 160) << name(policy);
    }
}

/// Three callers at random moments, 100 calls a second each, to five instances that answer within a millisecond or so.
/// The first one answers nothing.
class Traffic {
public:
    /// hiccups: so large a part of the answers takes about 10 ms longer, wherever it comes from.
    Traffic(std::uint64_t seed, double hiccups) : random_(seed), hiccups_(hiccups) {
        for (std::uint64_t i = 1; i <= 3; ++i) {
            callers_.push_back(std::make_unique<Pool>(5));
            callers_.back()->random.seed(seed * 3 + i);
        }
    }
    /// The load of the busiest of the four others in eight seconds, as times its fair share.
    double busiest() {
        for (auto due = now_; due < kEnd; due += milliseconds_of(std::exponential_distribution(0.3)(random_))) {
            finish_until(due);
            begin(*callers_[random_() % 3], {});
        }
        finish_until(kEnd + 1s);
        const auto sum = std::reduce(to_.begin() + 1, to_.end());
        return 4. * *std::max_element(to_.begin() + 1, to_.end()) / sum;
    }

private:
    static constexpr Instant kEnd{1008s};
    struct UnderWay {
        Pool& caller;
        InstanceState* instance;
        BalancedCall call;
    };
    static Duration milliseconds_of(double count) {
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(count));
    }
    Duration latency() {
        double ms = std::lognormal_distribution(std::log(0.7), 0.3)(random_);
        if (std::uniform_real_distribution()(random_) < hiccups_) ms += std::exponential_distribution(0.1)(random_);
        return milliseconds_of(ms);
    }
    void begin(Pool& caller, PickRequest request) {
        caller.now = now_;
        auto* instance = caller.pick(request).instance;
        const auto index = caller.index_of(instance);
        ++to_[index];
        under_way_.emplace(now_ + (index == 0 ? 500ms : latency()),
                           UnderWay{caller, instance, caller.balancer.begin(*instance, now_)});
    }
    void finish_until(Instant end) {
        while (!under_way_.empty() && under_way_.begin()->first <= end) {
            auto ended = under_way_.extract(under_way_.begin());
            now_ = ended.key();
            auto& [caller, instance, call] = ended.mapped();
            const bool hung = caller.index_of(instance) == 0;
            caller.balancer.report(*instance, call, hung ? CallOutcome::failure : CallOutcome::success, {}, now_);
            caller.balancer.end(*instance, call, now_);
            const std::array<const InstanceState*, 1> tried{instance};
            if (hung) begin(caller, {.tried = tried});
        }
        now_ = end;
    }

    std::mt19937_64 random_;
    double hiccups_;
    std::vector<std::unique_ptr<Pool>> callers_;
    Instant now_{1000s};
    std::array<int, 5> to_{};
    std::multimap<Instant, UnderWay> under_way_; ///< by their end
};

// Goal: those who are well share the load of one that is not evenly, also where a few answers are late by chance.
TEST(Balancer, OthersShareTheLoadOfOneThatHangsEvenly) {
    double worst = 0, worst_with_hiccups = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        worst = std::max(worst, Traffic(seed, 0).busiest());
        worst_with_hiccups = std::max(worst_with_hiccups, Traffic(seed, 0.003).busiest());
    }
    EXPECT_LE(worst, 1.08) << "by chance alone it is 1.10";
    EXPECT_LE(worst_with_hiccups, 1.2);
    RecordProperty("busiest", std::to_string(worst) + ", with hiccups " + std::to_string(worst_with_hiccups));
}

// Goal: a slow instance gets less with its first slow answer, and another try when that is old.
TEST(Balancer, PeakEwmaLeavesSlowInstancesAloneForAWhile) {
    Pool pool(3);
    for (auto* instance : pool.list)
        pool.call(*instance, CallOutcome::success, 1ms);
    pool.call(*pool.list[1], CallOutcome::success, 200ms);
    EXPECT_EQ(pool.shares(300)[1], 0);
    pool.now += 2s;
    EXPECT_NEAR(pool.shares(300)[1], 100, 40) << "one such answer may be the machine's";
    for (int i = 0; i < 2; ++i) {
        pool.call(*pool.list[1], CallOutcome::success, 200ms);
        pool.now += 2s;
        EXPECT_EQ(pool.shares(300)[1], 0) << "but not two";
    }
    pool.now += 5s * 4;
    EXPECT_NEAR(pool.shares(300)[1], 100, 40);
}

// Goal: a call that was given up after a while says that its instance is slow; one that was given up at once says
// nothing.
TEST(Balancer, CallsGivenUpAreSlowToo) {
    Pool pool(3);
    for (auto* instance : pool.list)
        pool.call(*instance, CallOutcome::success, 20ms);
    const auto before = pool.balancer.cost(*pool.list[1], pool.now);
    pool.call(*pool.list[1], CallOutcome::ignored, 0ms);
    EXPECT_EQ(pool.balancer.cost(*pool.list[1], pool.now), before);
    pool.call(*pool.list[1], CallOutcome::ignored, 200ms);
    EXPECT_EQ(pool.shares(300)[1], 0);
}

// Goal: differences that the scheduler makes are none.
TEST(Balancer, PeakEwmaIgnoresDifferencesBelowTheFloor) {
    Pool pool(3);
    pool.call(*pool.list[0], CallOutcome::success, 100us);
    pool.call(*pool.list[1], CallOutcome::success, 4ms);
    pool.call(*pool.list[2], CallOutcome::success, 1ms);
    for (const auto count : pool.shares(900))
        EXPECT_NEAR(count, 300, 60);
}

// Goal: an instance that fails at once does not look fast (linkerd2 11669), however slow the others are; what it is
// worth comes back with time.
TEST(Balancer, AFastFailingInstanceDoesNotLookAttractive) {
    Pool pool(3);
    for (int i = 0; i < 10; ++i) {
        for (auto* instance : pool.list)
            pool.call(*instance, CallOutcome::success, 3s);
    }
    pool.call(*pool.list[0], CallOutcome::failure, 100us);
    EXPECT_EQ(pool.shares(300)[0], 0);
    EXPECT_GT(pool.balancer.cost(*pool.list[0], pool.now), 5 * pool.balancer.cost(*pool.list[1], pool.now));
    double before = pool.balancer.cost(*pool.list[0], pool.now);
    for (int i = 0; i < 30; ++i) {
        pool.now += 1s;
        const auto cost = pool.balancer.cost(*pool.list[0], pool.now);
        EXPECT_LE(cost, before);
        before = cost;
    }
    for (auto* instance : pool.list)
        EXPECT_NEAR(pool.balancer.cost(*instance, pool.now) / before, 1, 0.1) << "the penalty is over";
}

// Goal: an instance that asks to be left alone is, for so long; its breaker does not hear of it.
TEST(Balancer, RetryAfterStretchesThePenalty) {
    Pool pool(3);
    pool.call(*pool.list[0], CallOutcome::overloaded, 1ms, 30s);
    EXPECT_EQ(pool.list[0]->breaker.window().calls(), 0U);
    pool.now += 30s;
    EXPECT_EQ(pool.shares(100)[0], 0);
    pool.now += 15s;
    EXPECT_GT(pool.shares(100)[0], 10);

    pool.call(*pool.list[1], CallOutcome::overloaded, 1ms, 24h);
    pool.now += 80s;
    EXPECT_GT(pool.shares(100)[1], 10) << "for a day is not believed";
}

// Goal: who was tried is not tried again; when all were there is none, and it says why.
TEST(Balancer, TriedInstancesAreExcluded) {
    for (const auto policy : kAllPolicies) {
        Pool pool(4, with(policy));
        std::vector<const InstanceState*> tried;
        for (int i = 0; i < 4; ++i) {
            const auto pick = pool.pick({.tried = tried, .key = 5});
            ASSERT_NE(pick.instance, nullptr) << name(policy);
            ASSERT_EQ(std::ranges::find(tried, pick.instance), tried.end()) << name(policy);
            tried.push_back(pick.instance);
        }
        const auto none = pool.pick({.tried = tried, .key = 5});
        EXPECT_EQ(none.instance, nullptr);
        EXPECT_EQ(none.why, NoPick::all_tried);
    }
    Pool empty(0);
    EXPECT_EQ(empty.pick().why, NoPick::no_instance);
}

// Goal: with a queue at some, those without are chosen from; with one at each, the shortest.
TEST(Balancer, QueuesAreAvoided) {
    Pool pool(3);
    const PickRequest request{.ahead = [](const InstanceState& instance) { return instance.in_flight; }};
    pool.balancer.begin(*pool.list[0], pool.now);
    pool.balancer.begin(*pool.list[1], pool.now);
    EXPECT_EQ(pool.shares(50, request)[2], 50);
    pool.balancer.begin(*pool.list[2], pool.now);
    pool.balancer.begin(*pool.list[2], pool.now);
    pool.balancer.begin(*pool.list[0], pool.now);
    EXPECT_EQ(pool.shares(50, request)[1], 50);
}

// Goal: a key stays where it is; when an instance goes only its own keys move, evenly; when it is back they are.
TEST(Balancer, ConsistentHashMovesOnlyTheKeysOfWhoGoes) {
    Pool pool(10, with(BalancingPolicy::consistent_hash));
    const auto places = [&] {
        std::vector<InstanceState*> all;
        for (int key = 0; key < 5000; ++key)
            all.push_back(pool.pick({.key = stable_hash("user-" + std::to_string(key))}).instance);
        return all;
    };
    const auto before = places();
    EXPECT_EQ(places(), before);
    auto* gone = pool.list[3];
    pool.list.erase(pool.list.begin() + 3);
    pool.assign();
    const auto without = places();
    std::map<InstanceState*, int> taken_over;
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (before[i] == gone)
            ++taken_over[without[i]];
        else
            ASSERT_EQ(without[i], before[i]);
    }
    ASSERT_EQ(taken_over.size(), 9U);
    for (const auto& [instance, keys] : taken_over)
        EXPECT_NEAR(keys, 500 / 9, 30);
    pool.list.push_back(gone);
    pool.assign();
    EXPECT_EQ(places(), before) << "the order of the list does not matter";
}

// Goal: the hash is the same in every build: callers of different versions agree.
TEST(Balancer, StableHashIsStable) {
    EXPECT_EQ(stable_hash(""), 0xF52A15E9A9B5E89BU);
    EXPECT_EQ(stable_hash("user-1"), 14166554182431137624U);
}

// Goal: the own zone is preferred while enough of it is well; when all of it was tried the others follow.
TEST(Balancer, OwnZoneIsPreferredWhileEnoughOfItIsWell) {
    Pool pool(0);
    for (int i = 0; i < 4; ++i)
        pool.add("here-" + std::to_string(i), 1, true);
    for (int i = 0; i < 8; ++i)
        pool.add("there-" + std::to_string(i), 1, false);
    pool.assign();
    const auto here = [&] {
        const auto counts = pool.shares(400);
        return counts[0] + counts[1] + counts[2] + counts[3];
    };
    EXPECT_EQ(here(), 400);
    const std::vector<const InstanceState*> tried(pool.list.begin(), pool.list.begin() + 4);
    EXPECT_FALSE(pool.pick({.tried = tried}).instance->own_zone);
    pool.open(*pool.list[0]);
    EXPECT_EQ(here(), 400) << "three of four are enough";
    pool.open(*pool.list[1]);
    EXPECT_NEAR(here(), 80, 40) << "two are not: all ten alike";
}

// Goal: a new instance, and one that recovered, gets a growing share; those of the first list get theirs at once.
TEST(Balancer, SlowStartGrowsTheShare) {
    for (const auto policy : {BalancingPolicy::peak_ewma, BalancingPolicy::round_robin, BalancingPolicy::random,
                              BalancingPolicy::weighted, BalancingPolicy::least_requests}) {
        Pool pool(3, with(policy));
        EXPECT_NEAR(pool.shares(300)[0], 100, 40) << name(policy);
        auto& fresh = pool.add("fresh");
        pool.assign();
        EXPECT_DOUBLE_EQ(pool.balancer.ramp(fresh, pool.now), 0.1);
        const auto at_first = pool.shares(1000)[3];
        pool.now += 5s;
        const auto half_way = pool.shares(1000)[3];
        pool.now += 5s;
        const auto at_last = pool.shares(1000)[3];
        EXPECT_NEAR(at_first, 32, 25) << name(policy);
        EXPECT_NEAR(half_way, 143, 50) << name(policy);
        EXPECT_NEAR(at_last, 250, 50) << name(policy);
    }
    Pool pool(3);
    pool.open(*pool.list[0]);
    pool.now += 60s;
    for (int i = 0; i < 3; ++i)
        pool.call(*pool.pick().instance, CallOutcome::success);
    EXPECT_EQ(pool.list[0]->breaker.state(), BreakerState::closed);
    EXPECT_DOUBLE_EQ(pool.balancer.ramp(*pool.list[0], pool.now + 5s), 0.5);
}

// Goal: an answer that breaks off after its head counts as a failure too.
TEST(Balancer, AFailureMayFollowASuccess) {
    Pool pool(1);
    auto& instance = *pool.list[0];
    auto call = pool.balancer.begin(instance, pool.now);
    pool.balancer.report(instance, call, CallOutcome::success, {}, pool.now);
    pool.balancer.report(instance, call, CallOutcome::failure, {}, pool.now);
    pool.balancer.end(instance, call, pool.now);
    EXPECT_EQ(instance.breaker.window().calls(), 2U);
    EXPECT_EQ(instance.breaker.window().failures(), 1U);
    EXPECT_EQ(instance.in_flight, 0U);
}

} // namespace
} // namespace flotilla::balancer_test
