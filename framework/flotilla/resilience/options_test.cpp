#include <flotilla/resilience/options.hpp>

#include <map>

#include <boost/pfr/tuple_size.hpp>
#include <gtest/gtest.h>

namespace flotilla::options_test {
namespace {

using namespace std::chrono_literals;

std::string refusal(std::string_view key, std::string_view value) {
    TargetOptions options;
    const auto set = set_target_option(options, key, value);
    return set ? "it was taken" : set.error().message();
}

// Goal: each kind of value is read.
TEST(TargetOptions, ValuesAreSetByTheirKeys) {
    TargetOptions options;
    for (const auto& [key, value] : std::map<std::string, std::string>{{"breaker.open", "1.5s"},
                                                                       {"breaker.failures", "7"},
                                                                       {"breaker.success_rate_min", "75%"},
                                                                       {"availability.out_max", "0.25"},
                                                                       {"availability.panic", "false"},
                                                                       {"balancing.policy", "least_requests"},
                                                                       {"balancing.failure_penalty", "12.5"},
                                                                       {"hedging.enabled", "true"},
                                                                       {"balancing.hash_by", "header:x-user"}})
        ASSERT_TRUE(set_target_option(options, key, value)) << key;
    EXPECT_EQ(options.breaker.open, 1500ms);
    EXPECT_EQ(options.breaker.failures, 7U);
    EXPECT_DOUBLE_EQ(options.breaker.success_rate_min, 0.75);
    EXPECT_DOUBLE_EQ(options.availability.out_max, 0.25);
    EXPECT_FALSE(options.availability.panic);
    EXPECT_EQ(options.balancing.policy, BalancingPolicy::least_requests);
    EXPECT_DOUBLE_EQ(options.balancing.failure_penalty, 12.5);
    EXPECT_TRUE(options.hedging.enabled);
    EXPECT_EQ(options.balancing.hash_by, "header:x-user");
}

// Goal: a wrong value is refused with key, value and range, and changes nothing.
TEST(TargetOptions, WrongValuesAreRefusedWithTheirRange) {
    EXPECT_EQ(refusal("breaker.failures", "0"), "breaker.failures must be a whole number from 1 to 1000000, found '0'");
    EXPECT_EQ(refusal("breaker.failures", "5x"),
              "breaker.failures must be a whole number from 1 to 1000000, found '5x'");
    EXPECT_EQ(refusal("breaker.window", "0.5s"), "breaker.window must be a duration from 1s to 1h, found '0.5s'");
    EXPECT_EQ(refusal("breaker.window", "ten"), "breaker.window must be a duration from 1s to 1h, found 'ten'");
    EXPECT_EQ(refusal("availability.out_max", "101%"),
              "availability.out_max must be a part from 0% to 100%, found '101%'");
    EXPECT_EQ(refusal("availability.out_max", "nan"),
              "availability.out_max must be a part from 0% to 100%, found 'nan'");
    EXPECT_EQ(refusal("hedging.enabled", "yes"), "hedging.enabled must be true or false, found 'yes'");
    EXPECT_EQ(refusal("balancing.policy", "best"),
              "balancing.policy must be one of peak_ewma, round_robin, random, weighted, least_requests, "
              "consistent_hash, found 'best'");
    EXPECT_EQ(refusal("balancing.hash_by", "x-user"),
              "balancing.hash_by must be header:NAME or field:NAME, found 'x-user'");
    TargetOptions options;
    EXPECT_FALSE(set_target_option(options, "breaker.failures", "0"));
    EXPECT_EQ(options.breaker.failures, 5U);
}

// Goal: an unknown key is refused with the nearest valid one.
TEST(TargetOptions, UnknownKeysAreRefusedWithTheNearest) {
    EXPECT_EQ(refusal("breaker.failure", "5"),
              "there is no option 'breaker.failure'; did you mean 'breaker.failures'?");
    EXPECT_EQ(refusal("colour", "5"), "there is no option 'colour'");
}

// Goal: values that are right alone and wrong together are refused.
TEST(TargetOptions, ValuesMustFitEachOther) {
    TargetOptions options;
    EXPECT_TRUE(check_target_options(options));
    options.breaker.open = 10min;
    EXPECT_EQ(check_target_options(options).error().message(),
              "breaker.open (10m) must not be longer than breaker.open_max (5m)");
    options = {};
    options.balancing.hash_by = "header:x-user";
    EXPECT_EQ(check_target_options(options).error().message(),
              "balancing.hash_by (header:x-user) needs balancing.policy consistent_hash, found peak_ewma");
}

template <class... Groups>
constexpr std::size_t members() {
    return (boost::pfr::tuple_size_v<Groups> + ...);
}

// Goal: no option is left out of the table.
TEST(TargetOptions, EachMemberHasAKey) {
    EXPECT_EQ(boost::pfr::tuple_size_v<TargetOptions>, 8U);
    EXPECT_EQ(target_option_keys().size(),
              (members<BreakerOptions, AvailabilityOptions, BalancingOptions, RetryOptions, RetryBudgetOptions,
                       BulkheadOptions, HedgingOptions, TimeoutOptions>()));
}

// Goal: every key can be shown, and what is shown can be set: the table reads and writes the same members.
TEST(TargetOptions, WhatIsShownCanBeSet) {
    std::map<std::string, std::string> shown;
    for_each_target_option({},
                           [&](std::string_view key, const std::string& value) { shown[std::string(key)] = value; });
    EXPECT_EQ(shown.size(), target_option_keys().size());
    EXPECT_EQ(shown["breaker.open"], "1m");
    EXPECT_EQ(shown["breaker.success_rate_min"], "80%");
    EXPECT_EQ(shown["budget.ratio"], "10%");
    EXPECT_EQ(shown["balancing.policy"], "peak_ewma");
    TargetOptions options;
    for (const auto& [key, value] : shown) {
        const auto set = set_target_option(options, key, value);
        EXPECT_TRUE(set) << set.error().message();
    }
    for_each_target_option(options, [&](std::string_view key, const std::string& value) {
        EXPECT_EQ(value, shown[std::string(key)]) << key;
    });
}

} // namespace
} // namespace flotilla::options_test
