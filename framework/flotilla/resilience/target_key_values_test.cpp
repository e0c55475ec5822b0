#include <flotilla/resilience/target_key_values.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/aio/manual_world.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/resilience/test_registry.hpp>

namespace flotilla::target_key_values_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A registry whose values a test sets, and which may be away.
class RegistryWithValues final : public test::ToldRegistry, public KeyValues {
public:
    KeyValues* key_values() override { return this; }
    task<Result<void>> follow(Context& context, std::string prefix,
                              std::function<void(std::vector<KeyValue>)> take) override {
        if (away) co_return Error(Kind::unavailable, "it is away");
        takes_[prefix] = std::move(take);
        tell();
        Event never;
        co_await must(never.wait(context));
        co_return Result<void>();
    }
    void put(const std::string& key, std::string value) {
        values_[key] = std::move(value);
        tell();
    }
    void erase(const std::string& key) {
        values_.erase(key);
        tell();
    }
    bool away = false;

private:
    void tell() {
        for (const auto& [prefix, take] : takes_) {
            std::vector<KeyValue> below;
            for (const auto& [key, value] : values_)
                if (key.starts_with(prefix)) below.push_back({key, value});
            take(std::move(below));
        }
    }
    std::map<std::string, std::string> values_;
    std::map<std::string, std::function<void(std::vector<KeyValue>)>> takes_;
};

/// The calls of the order service to the user service.
class TargetKeyValuesTest : public testing::Test {
protected:
    TargetKeyValuesTest() {
        scope_.spawn(values_.run(scope_.context()));
        world_.run_posted();
    }
    ~TargetKeyValuesTest() override {
        scope_.cancel(Error(Kind::cancelled, "the test is over"));
        world_.run_posted();
    }
    static TargetConfiguration said_before() {
        TargetConfiguration configuration;
        EXPECT_TRUE(configuration.set_all({"user-service.retry.retries=1 # flotilla.yaml: targets",
                                           "user-service.breaker.failures=7", "*.retry.backoff=20ms"},
                                          "--target"));
        return configuration;
    }
    const TargetOptions& options() { return target_.options(); }
    std::string source_of(std::string_view key) {
        return std::string(targets_.configuration().source_of("user-service", key));
    }
    std::string refused() {
        std::string all;
        for (const auto& [key, value, error] : values_.refused())
            all += key + "=" + value + ": " + error + "\n";
        return all;
    }

    ManualWorld world_;
    Context root_{world_};
    Scope scope_{root_};
    std::vector<std::string> log_;
    Telemetry telemetry_{Logger("test", LogLevel::info, Logger::Format::json,
                                [this](std::string_view line) { log_.emplace_back(line); })};
    http::Client client_{world_};
    RegistryWithValues registry_;
    RetryBudgets budgets_;
    Targets targets_{world_, client_, registry_, budgets_, telemetry_, {.configuration = said_before()}};
    Target& target_ = targets_.of("user-service");
    TargetKeyValues values_{world_,
                            registry_,
                            targets_,
                            telemetry_,
                            {.prefixes = TargetKeyValues::prefixes_of_service("order-service"),
                             .check = [](const TargetSetting& setting, bool own) -> Result<void> {
                                 if (!own || setting.target == "user-service") return {};
                                 return Error(Kind::invalid, "it is not called");
                             }}};
    static constexpr const char* kAll = "config/targets/user-service/";
    static constexpr const char* kOwn = "config/order-service/targets/user-service/";
};

// Goal: values count more than files, those of this caller more than those of all, flags and variables more than both;
// what goes is taken back.
TEST_F(TargetKeyValuesTest, ValuesCountMoreThanFilesAndLessThanFlags) {
    registry_.put(std::string(kAll) + "retry.retries", "2");
    EXPECT_EQ(options().retry.retries, 2U);
    EXPECT_EQ(source_of("retry.retries"), "KV config/targets/user-service/retry.retries");
    registry_.put(std::string(kOwn) + "retry.retries", "3");
    registry_.put(std::string(kOwn) + "breaker.failures", "9");
    EXPECT_EQ(options().retry.retries, 3U);
    EXPECT_EQ(options().breaker.failures, 7U);
    EXPECT_EQ(source_of("breaker.failures"), "--target");
    registry_.put(std::string(kOwn) + "GET /users/{id}/retry.retries", "0");
    EXPECT_EQ(target_.options_of(Method::get, "/users/{id}").retry.retries, 0U);
    EXPECT_EQ(target_.options_of(Method::get, "/users").retry.retries, 3U);
    registry_.erase(std::string(kOwn) + "retry.retries");
    EXPECT_EQ(options().retry.retries, 2U);
    registry_.erase(std::string(kAll) + "retry.retries");
    EXPECT_EQ(options().retry.retries, 1U);
    EXPECT_EQ(refused(), "");
    EXPECT_THAT(log_.front(), HasSubstr("an option of calls has changed"));
}

// Goal: what is wrong is refused with key and range, in the log once; what it would replace stays.
TEST_F(TargetKeyValuesTest, WrongValuesAreRefusedAndTheOldOnesStay) {
    const auto key = std::string(kOwn) + "retry.retries";
    registry_.put(key, "3");
    log_.clear();
    registry_.put(key, "many");
    EXPECT_EQ(options().retry.retries, 3U);
    EXPECT_EQ(refused(), key + "=many: retry.retries must be a whole number from 0 to 100, found 'many'\n");
    ASSERT_EQ(log_.size(), 1U);
    EXPECT_THAT(log_[0], HasSubstr("a value is refused; the option stays as it is"));
    registry_.put(key, "4");
    EXPECT_EQ(options().retry.retries, 4U);
    EXPECT_EQ(refused(), "");

    const auto refusal = [&](const std::string& wrong, const std::string& value) {
        registry_.put(wrong, value);
        auto text = refused();
        registry_.erase(wrong);
        return text;
    };
    EXPECT_THAT(refusal(std::string(kOwn) + "retry.retires", "1"), HasSubstr("did you mean 'retry.retries'?"));
    EXPECT_THAT(refusal("config/targets/retry.retries", "1"),
                HasSubstr("write the key as config/targets/TARGET/OPTION"));
    EXPECT_THAT(refusal(std::string(kOwn) + "bulkhead.queue", "1"), HasSubstr("can only be said before the start"));
    EXPECT_THAT(refusal(std::string(kOwn) + "GET /users/{id}/breaker.open", "1s"), HasSubstr("not of one endpoint"));
    EXPECT_THAT(refusal("config/order-service/targets/usr/retry.retries", "1"), HasSubstr("it is not called"));
    EXPECT_THAT(refusal(std::string(kOwn) + "breaker.open", "10m"),
                HasSubstr("breaker.open (10m) must not be longer than breaker.open_max (5m)"));
    EXPECT_EQ(options().breaker.open, 60s);
    EXPECT_EQ(refused(), "");
}

// Goal: while the registry is away options stay as they are, and its values are taken when it is back.
TEST_F(TargetKeyValuesTest, RegistryThatIsAwayChangesNothing) {
    registry_.put(std::string(kOwn) + "retry.retries", "3");
    registry_.away = true;
    TargetKeyValues again(world_, registry_, targets_, telemetry_,
                          {.prefixes = {"config/order-service/targets/"},
                           .check = [](const TargetSetting&, bool) { return Result<void>(); }});
    scope_.spawn(again.run(scope_.context()));
    world_.run_posted();
    EXPECT_THAT(log_.back(), HasSubstr("the registry does not tell its values"));
    EXPECT_EQ(options().retry.retries, 3U);
    registry_.away = false;
    log_.clear();
    world_.advance(world_.at + 10s);
    world_.run_posted();
    ASSERT_EQ(log_.size(), 1U);
    EXPECT_THAT(log_[0], HasSubstr("an option of calls has changed"));
    scope_.cancel(Error(Kind::cancelled, "the test is over"));
    world_.run_posted();
}

} // namespace
} // namespace flotilla::target_key_values_test
