// Retries: how many there may be, when they are, and when a hedged call begins its second try.

#include <atomic>
#include <deque>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/http/attempts.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/resilience/latency_quantile.hpp>
#include <flotilla/resilience/retry_budget.hpp>
#include <flotilla/resilience/retry_schedule.hpp>
#include <flotilla/resilience/target_call.hpp>
#include <flotilla/resilience/test_registry.hpp>

namespace flotilla::retry_test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

/// Random bits for which a backoff of `limit` waits for all of it.
std::uint64_t all_of(Duration limit) { return static_cast<std::uint64_t>(limit.count()); }

// Goal: a tenth of the successes, and what waits in a backoff counts.
TEST(RetryBudget, IsATenthOfTheSuccesses) {
    RetryFloor floor(0);
    RetryBudget budget({}, floor);
    EXPECT_FALSE(budget.try_acquire(kStart));
    for (int i = 0; i < 29; ++i)
        budget.note_success(kStart);
    auto waiting = budget.try_acquire(kStart);
    auto sent = budget.try_acquire(kStart);
    ASSERT_TRUE(waiting && sent);
    EXPECT_FALSE(budget.try_acquire(kStart)) << "29 successes pay for two";
    sent->use(kStart);
    sent.reset();
    EXPECT_FALSE(budget.try_acquire(kStart)) << "it was sent";
    waiting.reset();
    EXPECT_TRUE(budget.try_acquire(kStart)) << "it was given up in its backoff";
}

// Goal: successes and retries are forgotten after the window; a permit that waits longer is not.
TEST(RetryBudget, DecaysOverItsWindow) {
    RetryFloor floor(0);
    RetryBudget budget({}, floor);
    for (int i = 0; i < 20; ++i)
        budget.note_success(kStart);
    budget.try_acquire(kStart)->use(kStart);
    auto waiting = budget.try_acquire(kStart);
    EXPECT_EQ(budget.load(kStart + 9s).used, 2);
    EXPECT_EQ(budget.load(kStart + 10s).used, 1);
    EXPECT_EQ(budget.load(kStart + 10s).allowed, 0);
    for (int i = 0; i < 10; ++i)
        budget.note_success(kStart + 11s);
    EXPECT_FALSE(budget.try_acquire(kStart + 11s)) << "one still waits";
    waiting->use(kStart + 12s);
    EXPECT_EQ(budget.load(kStart + 21s).used, 1);
    EXPECT_EQ(budget.load(kStart + 1h).used, 0);
}

// Goal: the floor is one for the whole process, whatever the number of targets.
TEST(RetryBudget, TheFloorIsSharedByAllTargets) {
    RetryFloor floor;
    std::deque<RetryBudget> targets;
    for (int i = 0; i < 50; ++i)
        targets.emplace_back(RetryBudgetOptions{}, floor);
    int granted = 0;
    for (int second = 0; second < 60; ++second) {
        for (auto& target : targets) {
            if (auto permit = target.try_acquire(kStart + second * 1s)) {
                permit->use(kStart + second * 1s);
                ++granted;
            }
        }
    }
    EXPECT_EQ(granted, 60);
}

// Goal: over random successes, retries and waits the budget is never exceeded.
TEST(RetryBudget, RandomCallsNeverExceedIt) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        RetryFloor floor(0);
        RetryBudget budget({}, floor);
        std::vector<RetryBudget::Permit> waiting;
        std::vector<Instant> successes, sent;
        Instant now = kStart;
        for (int i = 0; i < 2000; ++i) {
            now += std::chrono::milliseconds(random() % 300);
            const auto recent = [&](Instant at) {
                return now.time_since_epoch() / 1s - at.time_since_epoch() / 1s < 10;
            };
            if (random() % 4 > 0) {
                budget.note_success(now);
                successes.push_back(now);
            } else if (auto permit = budget.try_acquire(now)) {
                waiting.push_back(std::move(*permit));
                const auto used =
                    static_cast<double>(waiting.size()) + static_cast<double>(std::ranges::count_if(sent, recent));
                ASSERT_LE(used, 0.1 * static_cast<double>(std::ranges::count_if(successes, recent)) + 1e-9);
            }
            if (waiting.empty() || random() % 8 > 0) continue;
            if (random() % 2 == 0) {
                waiting.back().use(now);
                sent.push_back(now);
            }
            waiting.pop_back();
        }
    }
}

// Goal: loops that share a budget get together what one would.
TEST(RetryBudget, ThreadsTogetherStayWithinIt) {
    RetryFloor floor(0);
    RetryBudget budget({}, floor);
    std::atomic<int> granted = 0;
    const auto work = [&] {
        for (int i = 0; i < 20'000; ++i) {
            const auto now = kStart + i * 100us; // the ticks of the window pass meanwhile
            budget.note_success(now);
            if (auto permit = budget.try_acquire(now)) {
                permit->use(now);
                ++granted;
            }
        }
    };
    {
        const std::jthread first(work), second(work), third(work);
    }
    EXPECT_LE(granted, 6000);
    EXPECT_GE(granted, 5900);
    const auto load = budget.load(kStart + 2s);
    EXPECT_EQ(load.used, granted);
    EXPECT_EQ(load.allowed, 6000);
    EXPECT_EQ(budget.load(kStart + 13s).used, 0) << "nothing was lost on the way";
    EXPECT_EQ(budget.load(kStart + 13s).allowed, 0);
}

// Goal: in the background three retries after 1, 2 and 4 s at most, with full jitter, each try with its own timeout.
TEST(RetrySchedule, BackgroundIsExponential) {
    RetrySchedule schedule(RetryProfile::background, {}, Deadline::never());
    EXPECT_EQ(schedule.attempt_deadline(kStart, true).at, kStart + 10s);
    std::uint32_t number = 0;
    for (const auto longest : {1s, 2s, 4s}) {
        auto same = schedule;
        EXPECT_EQ(same.next(kStart, true, {}, 0).wait, 0s) << "full jitter";
        const auto next = schedule.next(kStart, true, {}, all_of(longest));
        EXPECT_TRUE(next.retry);
        EXPECT_EQ(next.wait, longest);
        EXPECT_EQ(next.number, ++number);
    }
    const auto none = schedule.next(kStart, true, {}, 0);
    EXPECT_FALSE(none.retry);
    EXPECT_EQ(describe(none.why_not), "Max retries exceeded");
}

// Goal: inside a request another instance at once, a short backoff when there is none left, and each try has half of
// what remains, but the last.
TEST(RetrySchedule, InRequestFitsItsDeadline) {
    const Deadline deadline{kStart + 800ms};
    RetrySchedule schedule(RetryProfile::in_request, {}, deadline);
    EXPECT_EQ(schedule.attempt_deadline(kStart, true).at, kStart + 400ms);
    EXPECT_EQ(schedule.attempt_deadline(kStart, false).at, deadline.at) << "there will be no second";
    EXPECT_EQ(schedule.next(kStart + 400ms, true, {}, all_of(50ms)).wait, 0ms);
    EXPECT_EQ(schedule.attempt_deadline(kStart + 400ms, true).at, kStart + 600ms);
    EXPECT_EQ(schedule.next(kStart + 600ms, false, {}, all_of(50ms)).wait, 50ms);
    EXPECT_EQ(schedule.next(kStart + 650ms, false, {}, all_of(100ms)).wait, 100ms);
    EXPECT_EQ(schedule.attempt_deadline(kStart + 750ms, true).at, deadline.at) << "the last";
    EXPECT_EQ(schedule.next(kStart + 760ms, true, {}, 0).why_not, NoRetry::retries_spent);
}

// Goal: a Retry-After that fits is waited for when no other instance is left; one that does not ends the call at once.
TEST(RetrySchedule, RetryAfterIsHeeded) {
    RetrySchedule schedule(RetryProfile::in_request, {}, {kStart + 2s});
    EXPECT_EQ(schedule.next(kStart, false, 1s, 0).wait, 1s);
    EXPECT_EQ(schedule.next(kStart, true, 1s, 0).wait, 0s);
    const auto ended = schedule.next(kStart, true, 2s, 0);
    EXPECT_FALSE(ended.retry);
    EXPECT_EQ(ended.why_not, NoRetry::retry_after_too_long);
}

// Goal: where something else can be answered nobody waits long for another try; another instance is tried at once.
TEST(RetrySchedule, StandInEndsLongWaits) {
    RetrySchedule schedule(RetryProfile::in_request, {}, {kStart + 5s}, {.wait_max = 100ms});
    EXPECT_EQ(schedule.next(kStart, true, 1s, 0).wait, 0s) << "the other one has not said so";
    EXPECT_EQ(schedule.next(kStart, false, {}, all_of(50ms)).wait, 50ms);
    EXPECT_EQ(schedule.next(kStart, false, 1s, 0).why_not, NoRetry::stands_in);
}

// Goal: no wait and no try begins that the deadline would end.
TEST(RetrySchedule, NothingBeginsBehindTheDeadline) {
    RetrySchedule schedule(RetryProfile::in_request, {}, {kStart + 30ms});
    EXPECT_EQ(schedule.next(kStart, false, {}, all_of(50ms)).why_not, NoRetry::no_time_left);
    EXPECT_EQ(schedule.next(kStart + 30ms, true, {}, 0).why_not, NoRetry::no_time_left);
    EXPECT_EQ(schedule.next(kStart + 40ms, true, {}, 0).why_not, NoRetry::no_time_left);
}

// Goal: tries and waits of any call end by its deadline and are no more than allowed.
TEST(RetrySchedule, RandomCallsEndByTheirDeadline) {
    std::mt19937_64 random(3);
    for (int call = 0; call < 2000; ++call) {
        TargetOptions options;
        options.retry.retries = static_cast<std::uint32_t>(random() % 6);
        const Deadline deadline{kStart + std::chrono::milliseconds(1 + random() % 3000)};
        RetrySchedule schedule(random() % 2 == 0 ? RetryProfile::in_request : RetryProfile::background, options,
                               deadline);
        Instant now = kStart;
        for (std::uint32_t tries = 1;; ++tries) {
            const auto end = schedule.attempt_deadline(now, true);
            ASSERT_GT(end.at, now);
            ASSERT_LE(end.at, deadline.at);
            now += Duration(static_cast<Duration::rep>(random() % static_cast<std::uint64_t>((end.at - now).count())));
            const auto next =
                schedule.next(now, random() % 2 == 0, std::chrono::milliseconds(random() % 100), random());
            if (!next.retry) break;
            ASSERT_EQ(next.number, tries);
            ASSERT_LE(tries, options.retry.retries);
            now += next.wait;
        }
    }
}

// Goal: what the hops above have spent counts as the call's own.
TEST(RetrySchedule, TriesOfTheHopsAboveCount) {
    RetrySchedule schedule(RetryProfile::in_request, {}, {kStart + 800ms}, {.spent = 2});
    EXPECT_EQ(schedule.spent(), 2U);
    EXPECT_EQ(schedule.next(kStart, true, {}, 0).number, 1U);
    EXPECT_EQ(schedule.spent(), 3U);
    EXPECT_EQ(schedule.attempt_deadline(kStart, true).at, kStart + 800ms) << "the last";
    EXPECT_EQ(schedule.next(kStart, true, {}, 0).why_not, NoRetry::retries_spent);
    RetrySchedule beside(RetryProfile::in_request, {}, {kStart + 800ms}, {.spent = 2});
    beside.count_beside(RetrySchedule(RetryProfile::in_request, {}, {kStart + 800ms}, {.spent = 1}));
    EXPECT_EQ(beside.spent(), 2U) << "one more than the first";
}

/// Services in a row, each of which asks the next one and then ends the connection without an answer: no answer says
/// that another try does not help. The budget does not bind.
class Chain {
public:
    explicit Chain(std::size_t hops) {
        options_.defaults.retry.backoff = options_.defaults.retry.backoff_max = 1ms;
        options_.defaults.budget.ratio = 10;
        targets_.emplace(loop_.world(), client_, registry_, budgets_, telemetry_, options_);
        for (std::size_t i = 0; i < hops; ++i) {
            servers_.push_back(std::make_unique<http::Server>(
                loop_.world(), [this, i](Context& context, http::Exchange& exchange) -> task<void> {
                    said_.push_back(std::string(exchange.request().headers.get("flotilla-attempts").value_or("")));
                    return pass_on(context, exchange, i);
                }));
            const auto address = servers_.back()->listen(Address::tcp("127.0.0.1", 0)).value();
            scope_.spawn(servers_.back()->run(scope_.context()));
            const auto service = name_of(i);
            registry_.know({.id = service + "-1", .service = service, .address = address});
            auto& budget = budgets_.of(service, options_.defaults.budget);
            for (int good = 0; good < 10; ++good)
                budget.note_success(loop_.world().monotonic());
        }
    }
    ~Chain() {
        scope_.cancel(Error(Kind::cancelled, "the test is over"));
        loop_.run_until_done(scope_.join());
    }

    /// How many requests come to the last one for one call of the first.
    int ask() {
        loop_.run_until_done(call_first());
        return at_last_;
    }
    bool hops_count = true; ///< false: each hop begins anew
    const std::vector<std::string>& said() const { return said_; }

private:
    static std::string name_of(std::size_t hop) { return "hop-" + std::to_string(hop); }
    task<void> call_first() {
        Context context(root_, Duration(10s));
        co_await call(context, 0);
    }
    task<void> call(Context& context, std::size_t hop) {
        TargetCall call(*targets_, targets_->of(name_of(hop)), context, {.repeatable = true});
        http::RequestHead head;
        head.target = "/";
        head.authority = name_of(hop);
        EXPECT_FALSE(co_await call.send(head, {}));
    }
    task<void> pass_on(Context& context, http::Exchange& exchange, std::size_t hop) {
        if (!hops_count) http::forget_attempts(context);
        if (hop + 1 == servers_.size())
            ++at_last_;
        else
            co_await call(context, hop + 1);
        exchange.reset();
    }

    Loop loop_;
    Context root_{loop_.world()};
    Scope scope_{root_};
    Telemetry telemetry_{Logger("test", LogLevel::error)};
    http::Client client_{loop_.world()};
    test::ToldRegistry registry_;
    RetryBudgets budgets_;
    TargetsOptions options_;
    std::optional<Targets> targets_;
    std::vector<std::unique_ptr<http::Server>> servers_;
    std::vector<std::string> said_;
    int at_last_ = 0;
};

// Goal: three hops of which none answers make no 64 requests of one: all of them together spend the tries of one.
TEST(RetryChain, HopsDoNotMultiplyTheirTries) {
    Chain anew(3);
    anew.hops_count = false;
    EXPECT_EQ(anew.ask(), 64) << "four tries each";
    Chain chain(3);
    EXPECT_EQ(chain.ask(), 20) << "no more than three further ones on any way down";
    EXPECT_EQ(chain.said().front(), "") << "the first try says nothing";
    EXPECT_EQ(chain.said().back(), "3");
}

// Goal: the quantile is right to an eighth, for any distribution.
TEST(LatencyQuantile, IsRightToAnEighth) {
    std::mt19937_64 random(11);
    for (const double typical : {20e3, 1e6, 3e8}) {
        LatencyQuantile latencies;
        std::vector<Duration> all;
        std::lognormal_distribution<double> distribution(std::log(typical), 1);
        for (int i = 0; i < 5000; ++i) {
            all.emplace_back(static_cast<Duration::rep>(distribution(random)));
            latencies.observe(all.back(), kStart + i * 1ms);
        }
        std::ranges::sort(all);
        for (const double quantile : {0.5, 0.95, 0.99}) {
            const auto exact = static_cast<double>(all[static_cast<std::size_t>(quantile * 5000) - 1].count());
            const auto found = static_cast<double>(latencies.value(quantile, 1, kStart + 5s)->count());
            EXPECT_GE(found, exact) << typical << " " << quantile;
            EXPECT_LE(found, exact * 1.13 + 1000) << typical << " " << quantile;
        }
    }
}

// Goal: it follows a change within half a minute, forgets what is old, and bounds what is absurd.
TEST(LatencyQuantile, FollowsWhatIsRecent) {
    LatencyQuantile latencies;
    EXPECT_FALSE(latencies.value(0.95, 1, kStart));
    Instant now = kStart;
    for (; now < kStart + 20s; now += 10ms)
        latencies.observe(1ms, now);
    EXPECT_NEAR(static_cast<double>(latencies.value(0.95, 20, now)->count()), 1e6, 1.3e5);
    for (; now < kStart + 50s; now += 10ms)
        latencies.observe(100ms, now);
    EXPECT_NEAR(static_cast<double>(latencies.value(0.5, 20, now)->count()), 1e8, 1.3e7);
    EXPECT_FALSE(latencies.value(0.95, 1, now + 31s)) << "nothing is recent";
    latencies.observe(24h, now + 31s);
    latencies.observe(-1s, now + 31s);
    EXPECT_LE(*latencies.value(1, 1, now + 31s), 68s);
}

// Goal: a second try begins after the usual time, never too early, and not before that is known.
TEST(LatencyQuantile, TellsWhenToHedge) {
    LatencyQuantile latencies;
    HedgingOptions options;
    for (int i = 0; i < 49; ++i)
        latencies.observe(20ms, kStart);
    EXPECT_FALSE(hedging_delay(options, latencies, kStart)) << "not enabled";
    options.enabled = true;
    EXPECT_FALSE(hedging_delay(options, latencies, kStart)) << "49 calls say nothing";
    latencies.observe(20ms, kStart);
    EXPECT_GE(hedging_delay(options, latencies, kStart), 20ms);
    options.delay_min = 1s;
    EXPECT_EQ(hedging_delay(options, latencies, kStart), 1s);
}

} // namespace
} // namespace flotilla::retry_test
