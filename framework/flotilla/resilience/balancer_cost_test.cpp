#include <flotilla/resilience/balancer.hpp>

#include <gtest/gtest.h>

#include <flotilla/aio/test_allocations.hpp>
#include <flotilla/resilience/latency_quantile.hpp>
#include <flotilla/resilience/retry_budget.hpp>
#include <flotilla/resilience/retry_schedule.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

// Goal: what a call costs beside its message is no memory, failures and retries included.
TEST(BalancerCost, ACallAllocatesNothing) {
    InstanceState first("first", 1, true), second("second", 1, false), third("third", 2, true);
    const std::array list{&first, &second, &third};
    for (const auto policy :
         {BalancingPolicy::peak_ewma, BalancingPolicy::round_robin, BalancingPolicy::random, BalancingPolicy::weighted,
          BalancingPolicy::least_requests, BalancingPolicy::consistent_hash}) {
        TargetOptions options;
        options.balancing.policy = policy;
        Balancer balancer(options);
        RetryFloor floor;
        RetryBudget budget(options.budget, floor);
        LatencyQuantile latencies;
        Instant now{1000s};
        balancer.assign(list, now);
        (void)balancer.pick({}, now, 1);
        std::uint64_t random = 1;
        const auto call = [&](CallOutcome outcome) {
            now += 10ms;
            random = random * 6364136223846793005 + 1442695040888963407;
            RetrySchedule schedule(RetryProfile::in_request, options, {now + 1s});
            auto* instance = balancer.pick({.key = random}, now, random).instance;
            auto begun = balancer.begin(*instance, now);
            balancer.report(*instance, begun, outcome, {}, now + 1ms);
            balancer.end(*instance, begun, now + 1ms);
            latencies.observe(1ms, now);
            if (outcome == CallOutcome::success) return budget.note_success(now);
            if (!schedule.next(now, true, {}, random).retry) return;
            if (auto permit = budget.try_acquire(now)) permit->use(now);
        };
        const auto before = allocations;
        for (int i = 0; i < 10'000; ++i)
            call(i % 1000 < 500 && i % 2 == 0 ? CallOutcome::failure : CallOutcome::success);
        EXPECT_EQ(allocations - before, 0U) << name(policy);
    }
}

} // namespace
} // namespace flotilla
