// Which instances may be used while some are out.
#include <flotilla/resilience/availability.hpp>

#include <set>

#include <gtest/gtest.h>

#include <flotilla/resilience/test_pool.hpp>

namespace flotilla::availability_test {
namespace {

using namespace test;

// Goal: an OPEN instance gets nothing, a HALF_OPEN one the next call that may probe and then no more than its places.
TEST(Availability, HalfOpenInstancesGetProbes) {
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
TEST(Availability, RandomLivesNeverEmptyThePool) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RandomPool life(seed);
        for (int i = 0; i < 500 && !testing::Test::HasFailure(); ++i)
            life.step();
        if (testing::Test::HasFailure()) return;
    }
}

} // namespace
} // namespace flotilla::availability_test
