#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/resilience/balancer.hpp>

namespace flotilla::test {

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
    /// How often each is picked, by calls that say nothing of it and take no time.
    std::vector<int> shares(int picks, PickRequest request = {}) {
        std::vector<int> counts(list.size());
        for (int i = 0; i < picks; ++i) {
            auto* instance = pick(request).instance;
            ++counts[index_of(instance)];
            instance->began = now;
            now += 1us; // or all would have been called at once
        }
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

inline TargetOptions with(BalancingPolicy policy) {
    TargetOptions options;
    options.balancing.policy = policy;
    return options;
}

inline constexpr std::array kAllPolicies{BalancingPolicy::peak_ewma,      BalancingPolicy::round_robin,
                                         BalancingPolicy::random,         BalancingPolicy::weighted,
                                         BalancingPolicy::least_requests, BalancingPolicy::consistent_hash};

} // namespace flotilla::test
