#include <flotilla/resilience/options.hpp>

#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include <boost/pfr/tuple_size.hpp>
#include <gtest/gtest.h>

#include <flotilla/resilience/target_configuration.hpp>

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
    EXPECT_EQ(refusal("balancing.hash_by", "x-user"), "balancing.hash_by must be header:NAME, found 'x-user'");
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

TargetConfiguration configured(const std::vector<std::string>& settings) {
    TargetConfiguration configuration;
    const auto set = configuration.set_all(settings, "--target");
    EXPECT_TRUE(set) << set.error().message();
    return configuration;
}

std::string refusal_of(const std::string& setting, const std::vector<std::string>& known = {}) {
    TargetConfiguration configuration;
    const auto set = configuration.set_all({setting}, "--target", known);
    return set ? "it was taken" : set.error().message();
}

// Goal: what is said of a service by name counts more than what is said of all, the later more than the earlier.
TEST(TargetConfiguration, NamedCountsMoreThanAllAndLaterMoreThanEarlier) {
    const auto configuration = configured({"user-service.retry.retries=5", "*.retry.retries=1",
                                           "shop.user.breaker.open=30s # flotilla.yaml: targets",
                                           "user-service.retry.retries=2", "*.breaker.failures=9"});
    EXPECT_EQ(configuration.options_of("user-service").retry.retries, 2U);
    EXPECT_EQ(configuration.options_of("order-service").retry.retries, 1U);
    EXPECT_EQ(configuration.options_of("order-service").breaker.failures, 9U);
    EXPECT_EQ(configuration.options_of("shop.user").breaker.open, 30s);
    EXPECT_EQ(configuration.source_of("shop.user", "breaker.open"), "flotilla.yaml: targets");
    EXPECT_EQ(configuration.source_of("shop.user", "retry.retries"), "--target");
    EXPECT_EQ(configuration.source_of("user-service", "breaker.open"), "default");
    EXPECT_EQ(configuration.services(), (std::vector<std::string>{"shop.user", "user-service"}));
    std::vector<std::string> again;
    for (const auto& setting : configuration.settings())
        again.push_back(to_text(setting));
    EXPECT_EQ(again[0], "shop.user.breaker.open=30s # flotilla.yaml: targets") << "files come first";
    EXPECT_EQ(configured(again).options_of("user-service").retry.retries, 2U);
}

// Goal: what is said of an endpoint is of its calls alone, and counts more than what is said of the service.
TEST(TargetConfiguration, EndpointsHaveTheirOwn) {
    const auto configuration = configured({"shop.user[GET /v1.0/{id}].timeouts.call=300ms # flotilla.yaml: targets",
                                           "shop.user.timeouts.call=3s", "shop.user[PUT /{id}].retry.retries=0"});
    const auto all = configuration.options_of("shop.user");
    EXPECT_EQ(all.timeouts.call, 3s);
    EXPECT_EQ(configuration.options_of_endpoint("shop.user", "GET /v1.0/{id}", all).timeouts.call, 300ms);
    EXPECT_EQ(configuration.options_of_endpoint("shop.user", "PUT /{id}", all).timeouts.call, 3s);
    EXPECT_EQ(configuration.endpoints_of("shop.user"), (std::vector<std::string>{"GET /v1.0/{id}", "PUT /{id}"}));
    EXPECT_EQ(configuration.source_of("shop.user", "timeouts.call"), "--target");
    EXPECT_EQ(to_text(configuration.settings()[0]),
              "shop.user[GET /v1.0/{id}].timeouts.call=300ms # flotilla.yaml: targets");
}

// Goal: what is not understood is refused with the flag, the text and what would be right.
TEST(TargetConfiguration, WrongSettingsAreRefused) {
    for (const std::string text : {"", "user-service", "retries=1", "retry.retries=1", ".retry.retries=1", "a.b.c"}) {
        EXPECT_EQ(refusal_of(text), "--target: '" + text +
                                        "': write it as SERVICE.OPTION=VALUE, such as "
                                        "user-service.retry.retries=1, *.breaker.open=30s or "
                                        "user-service[GET /users/{id}].timeouts.call=1s");
    }
    EXPECT_TRUE(refusal_of("a[GET /b.retry.retries=1").contains("write it as SERVICE.OPTION=VALUE"));
    EXPECT_EQ(refusal_of("a[/b].retry.retries=1"),
              "--target a[/b].retry.retries=1: '/b' is no endpoint: write it as its contract does, such as GET "
              "/users/{id}");
    EXPECT_EQ(refusal_of("*[GET /b].retry.retries=1"),
              "--target *[GET /b].retry.retries=1: GET /b: an endpoint is of one service, not of all (*)");
    EXPECT_EQ(
        refusal_of("a[GET /b].breaker.open=1s"),
        "--target a[GET /b].breaker.open=1s: breaker.open is of all calls to a, not of one endpoint: say it there");
    EXPECT_EQ(refusal_of("a[GET /b].retry.backoff=5s"),
              "--target: a GET /b: retry.backoff (5s) must not be longer than retry.backoff_max (1s)");
    EXPECT_EQ(refusal_of("a.retry.retires=1"),
              "--target a.retry.retires=1: there is no option 'retry.retires'; did you mean 'retry.retries'?");
    EXPECT_EQ(refusal_of("a.retry.retries=x"),
              "--target a.retry.retries=x: retry.retries must be a whole number from 0 to 100, found 'x'");
    EXPECT_EQ(refusal_of("usr-service.retry.retries=1", {"user-service"}),
              "--target usr-service.retry.retries=1: there is no service 'usr-service'; did you mean 'user-service'?");
    EXPECT_EQ(refusal_of("*.retry.retries=1", {"user-service"}), "it was taken");
    EXPECT_EQ(refusal_of("a.retry.backoff=5s"),
              "--target: a: retry.backoff (5s) must not be longer than retry.backoff_max (1s)");
}

// Goal: the guide names every option with its default and its range, and no other.
TEST(TargetOptions, GuideNamesEachWithDefaultAndRange) {
    const char* source = std::getenv("FLOTILLA_SOURCE");
    std::ifstream guide(std::string(source ? source : ".") + "/docs/guides/targets.md");
    ASSERT_TRUE(guide);
    std::vector<std::string> rows;
    for (std::string line; std::getline(guide, line);)
        if (line.starts_with("| `")) rows.push_back(line);
    std::size_t row = 0;
    for_each_target_option(TargetOptions(), [&](std::string_view key, const std::string& value) {
        ASSERT_LT(row, rows.size()) << key;
        const auto begins = "| `" + std::string(key) + "` |" + (value.empty() ? "" : " " + value) + " | ";
        EXPECT_TRUE(rows[row].starts_with(begins)) << rows[row] << " instead of " << begins;
        const auto range = rows[row].substr(begins.size(), rows[row].find(" |", begins.size()) - begins.size());
        const auto to = range.find(" to ");
        if (to != range.npos)
            EXPECT_TRUE(refusal(key, "-1").contains("from " + range + ",")) << rows[row] << refusal(key, "-1");
        ++row;
    });
    EXPECT_EQ(row, rows.size());
}

} // namespace
} // namespace flotilla::options_test
