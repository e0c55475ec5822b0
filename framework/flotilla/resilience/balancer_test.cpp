#include <flotilla/resilience/balancer.hpp>

#include <deque>
#include <map>
#include <memory>
#include <random>

#include <gtest/gtest.h>

namespace flotilla::balancer_test {
namespace {

using namespace std::chrono_literals;

/// A target with some instances and a clock.
class Pool {
public:
    explicit Pool(std::size_t count, TargetOptions options = {}) : balancer(options) {
        for (std::size_t i = 0; i < count; ++i)
            add("instance-" + std::to_string(i));
        assign();
    }
    InstanceState& add(const std::string& id, double weight = 1, bool own_zone = true) {
        owned_.push_back(std::make_unique<InstanceState>(id, weight, own_zone));
        list.push_back(owned_.back().get());
        return *list.back();
    }
    void assign() { balancer.assign(list, now); }
    Pick pick(PickRequest request = {}) { return balancer.pick(request, now, random()); }
    /// That ends now.
    void call(InstanceState& instance, CallOutcome outcome, Duration latency = 1ms, Duration retry_after = {}) {
        auto call = balancer.begin(instance, now - latency);
        balancer.report(instance, call, outcome, retry_after, now);
        balancer.end(instance, call, now);
    }
    void open(InstanceState& instance) {
        for (int i = 0; i < 5; ++i)
            call(instance, CallOutcome::failure);
        ASSERT_EQ(instance.breaker.state(), BreakerState::open);
    }
    /// How often each is picked.
    std::vector<int> shares(int picks, PickRequest request = {}) {
        std::vector<int> counts(list.size());
        for (int i = 0; i < picks; ++i)
            ++counts[index_of(pick(request).instance)];
        return counts;
    }
    std::size_t index_of(const InstanceState* instance) const {
        return static_cast<std::size_t>(std::ranges::find(list, instance) - list.begin());
    }

    Balancer balancer;
    std::vector<InstanceState*> list;
    Instant now{1000s};
    std::mt19937_64 random{1};

private:
    std::vector<std::unique_ptr<InstanceState>> owned_;
};

TargetOptions with(BalancingPolicy policy) {
    TargetOptions options;
    options.balancing.policy = policy;
    return options;
}

constexpr std::array kAllPolicies{BalancingPolicy::peak_ewma,      BalancingPolicy::round_robin,
                                  BalancingPolicy::random,         BalancingPolicy::weighted,
                                  BalancingPolicy::least_requests, BalancingPolicy::consistent_hash};

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
    for (const auto policy : {BalancingPolicy::random, BalancingPolicy::weighted, BalancingPolicy::least_requests,
                              BalancingPolicy::consistent_hash}) {
        Pool pool(0, with(policy));
        pool.add("one", 1);
        pool.add("five", 5);
        pool.add("two", 2);
        pool.add("none", 0);
        pool.assign();
        std::map<InstanceState*, int> counts;
        for (std::uint64_t i = 0; i < 8000; ++i)
            ++counts[pool.pick({.key = stable_hash(std::to_string(i))}).instance];
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

// Goal: a slow instance gets less with its first slow answer, and another try when that is old.
TEST(Balancer, PeakEwmaLeavesSlowInstancesAloneForAWhile) {
    Pool pool(3);
    for (auto* instance : pool.list)
        pool.call(*instance, CallOutcome::success, 1ms);
    pool.call(*pool.list[1], CallOutcome::success, 200ms);
    EXPECT_EQ(pool.shares(300)[1], 0);
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

// Goal: an OPEN instance gets nothing, a HALF_OPEN one the next call that may probe and then no more than its places.
TEST(Balancer, HalfOpenInstancesGetProbes) {
    Pool pool(3);
    pool.open(*pool.list[1]);
    EXPECT_EQ(pool.shares(100)[1], 0);
    pool.now += 60s;
    EXPECT_NE(pool.pick({.may_probe = false}).instance, pool.list[1]);
    auto* probed = pool.pick().instance;
    ASSERT_EQ(probed, pool.list[1]);
    auto probe = pool.balancer.begin(*probed, pool.now);
    EXPECT_EQ(pool.shares(100)[1], 0);
    pool.now += 10s;
    EXPECT_EQ(pool.shares(100)[1], 0);
    EXPECT_EQ(probed->breaker.opened_by(), BreakerCause::probe_unreported) << "noticed without another call to it";
    pool.balancer.end(*probed, probe, pool.now);
    EXPECT_EQ(probed->in_flight, 0U);
    pool.balancer.give_chance(*probed, pool.now);
    EXPECT_EQ(pool.pick().instance, probed);
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

// Goal: at most half are out: who fails for the first time is used before who keeps failing.
TEST(Availability, AtMostHalfAreOut) {
    Pool pool(4, with(BalancingPolicy::round_robin));
    auto& long_gone = *pool.list[0];
    pool.open(long_gone);
    pool.now += 60s;
    pool.call(*pool.pick().instance, CallOutcome::failure); // its probe
    ASSERT_EQ(long_gone.breaker.state(), BreakerState::open);
    pool.open(*pool.list[1]);
    EXPECT_EQ(pool.shares(100), (std::vector{0, 0, 50, 50}));
    EXPECT_EQ(pool.balancer.availability().out(), 2U);

    pool.open(*pool.list[2]);
    const auto shares = pool.shares(99);
    EXPECT_EQ(shares[0], 0);
    EXPECT_GT(shares[1], 40) << "out for the shortest time from now";
    EXPECT_EQ(pool.balancer.availability().out(), 2U);
    EXPECT_EQ(pool.balancer.availability().used_nevertheless(), 1U);
    EXPECT_FALSE(pool.balancer.availability().panic());
}

// Goal: when none is well all are used in turn, and that is told once.
TEST(Availability, WhenAllAreBadAllAreUsed) {
    Pool pool(3);
    EXPECT_FALSE(pool.balancer.availability().take_panic_change());
    for (auto* instance : pool.list)
        pool.open(*instance);
    EXPECT_EQ(pool.shares(99), (std::vector{33, 33, 33}));
    EXPECT_EQ(pool.balancer.availability().take_panic_change(), true);
    EXPECT_FALSE(pool.balancer.availability().take_panic_change());
    for (int i = 0; i < 9; ++i)
        pool.call(*pool.pick().instance, CallOutcome::success);
    (void)pool.pick();
    EXPECT_EQ(pool.balancer.availability().take_panic_change(), false);
    for (const auto* instance : pool.list)
        EXPECT_EQ(instance->breaker.state(), BreakerState::closed);
}

// Goal: the first to recover does not get all calls while it is tried out, and when it is well the others, who were out
// for the same reason, are tried out at once.
TEST(Availability, WhenOneOfAllRecoversTheOthersAreTriedOut) {
    Pool pool(3);
    for (auto* instance : pool.list)
        pool.open(*instance);
    pool.call(*pool.list[0], CallOutcome::success);
    ASSERT_EQ(pool.list[0]->breaker.state(), BreakerState::half_open);
    EXPECT_EQ(pool.shares(99), (std::vector{33, 33, 33}));
    pool.call(*pool.list[0], CallOutcome::success);
    pool.call(*pool.list[0], CallOutcome::success);
    ASSERT_EQ(pool.list[0]->breaker.state(), BreakerState::closed);
    auto* second = pool.pick().instance;
    EXPECT_NE(second, pool.list[0]);
    EXPECT_EQ(second->breaker.take_change()->cause, BreakerCause::others_recovered);
    (void)pool.balancer.begin(*second, pool.now); // its place is taken
    auto* third = pool.pick().instance;
    EXPECT_TRUE(third != pool.list[0] && third != second);
}

// Goal: who wants it refused then gets it refused, but for the probes.
TEST(Availability, WithoutPanicACircuitIsOpen) {
    TargetOptions options;
    options.availability.panic = false;
    Pool pool(1, options);
    pool.open(*pool.list[0]);
    EXPECT_EQ(pool.pick().instance, nullptr);
    EXPECT_EQ(pool.pick().why, NoPick::circuit_open);
    pool.now += 60s;
    EXPECT_EQ(pool.pick({.may_probe = false}).instance, pool.list[0]);
}

/// Calls begin and end in any order, instances come and go, fail and recover.
class RandomPool {
public:
    explicit RandomPool(std::uint64_t seed) : random_(seed), pool_(draw(1, 8), options()) { pool_.random.seed(seed); }
    void step() {
        pool_.now += std::chrono::milliseconds(draw(0, 2000));
        const auto what = draw(0, 19);
        if (what < 9)
            begin();
        else if (what < 17)
            end();
        else if (what == 17 && pool_.list.size() > 1)
            leave();
        else if (what == 18 && pool_.list.size() < 12)
            join();
        else
            bad_ = draw(0, 3); // how many of four calls fail from now on
        check();
    }
    ~RandomPool() { EXPECT_EQ(in_flight(), calls_.size()); }

private:
    std::size_t draw(std::size_t low, std::size_t high) {
        return std::uniform_int_distribution<std::size_t>(low, high)(random_);
    }
    TargetOptions options() {
        TargetOptions all;
        all.balancing.policy = kAllPolicies[draw(0, kAllPolicies.size() - 1)];
        all.breaker.probes = static_cast<std::uint32_t>(draw(1, 3));
        all.availability.out_max = static_cast<double>(draw(0, 4)) / 4;
        return all;
    }
    void begin() {
        std::vector<const InstanceState*> tried;
        for (std::size_t i = draw(0, 3); i > 0; --i)
            tried.push_back(pool_.list[draw(0, pool_.list.size() - 1)]);
        const auto first = pool_.pick({.key = draw(0, 99), .may_probe = draw(0, 1) == 0});
        ASSERT_NE(first.instance, nullptr) << "the pool was emptied";
        const auto pick = pool_.pick({.tried = tried});
        ASSERT_EQ(std::ranges::find(tried, pick.instance), tried.end());
        calls_.emplace_back(first.instance, pool_.balancer.begin(*first.instance, pool_.now));
    }
    void end() {
        if (calls_.empty()) return;
        const auto at = static_cast<std::ptrdiff_t>(draw(0, calls_.size() - 1));
        auto& [instance, call] = calls_[static_cast<std::size_t>(at)];
        const bool fails = instance->hash % 3 == 0 ? draw(0, 3) < bad_ : draw(0, 3) == 0 && bad_ == 3;
        if (draw(0, 9) > 0) {
            pool_.balancer.report(*instance, call, fails ? CallOutcome::failure : CallOutcome::success,
                                  std::chrono::seconds(draw(0, 2)), pool_.now);
        }
        pool_.balancer.end(*instance, call, pool_.now);
        calls_.erase(calls_.begin() + at);
    }
    void leave() {
        pool_.list.erase(pool_.list.begin() + static_cast<std::ptrdiff_t>(draw(0, pool_.list.size() - 1)));
        pool_.assign();
    }
    void join() {
        pool_.add("joined-" + std::to_string(joined_++), static_cast<double>(draw(0, 3)), draw(0, 1) == 0);
        pool_.assign();
    }
    std::size_t in_flight() const {
        std::size_t all = 0;
        std::set<const InstanceState*> seen;
        for (const auto& [instance, call] : calls_)
            if (seen.insert(instance).second) all += instance->in_flight;
        return all;
    }
    void check() {
        (void)pool_.pick();
        auto& availability = pool_.balancer.availability();
        const auto all = pool_.list.size();
        const auto out_max =
            static_cast<std::size_t>(static_cast<double>(all) * pool_.balancer.options().availability.out_max);
        ASSERT_LE(availability.out(), out_max);
        ASSERT_EQ(availability.usable().size(), all - availability.out());
        const auto closed =
            std::ranges::count(pool_.list, BreakerState::closed, [](const auto* one) { return one->breaker.state(); });
        ASSERT_EQ(availability.panic(), closed == 0);
    }

    std::mt19937_64 random_;
    Pool pool_;
    std::vector<std::pair<InstanceState*, BalancedCall>> calls_;
    std::size_t bad_ = 0;
    int joined_ = 0;
};

// Goal: over random lives of a pool there is always somebody to call, no more are out than may be, and nothing stays in
// flight.
TEST(Balancer, RandomLivesNeverEmptyThePool) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RandomPool life(seed);
        for (int i = 0; i < 500 && !testing::Test::HasFailure(); ++i)
            life.step();
        if (testing::Test::HasFailure()) return;
    }
}

} // namespace
} // namespace flotilla::balancer_test
