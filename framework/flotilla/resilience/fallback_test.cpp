#include <flotilla/resilience/fallback.hpp>

#include <gtest/gtest.h>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/manual_world.hpp>
#include <flotilla/aio/scope.hpp>

namespace flotilla::fallback_test {
namespace {

using namespace std::chrono_literals;

/// A service that the test lets answer.
struct Remote {
    Result<int> answer = 1;
    int calls = 0;
    bool holds = false;       ///< until release()
    std::vector<Event*> held; ///< calls under way

    task<Result<int>> ask(Context& context) {
        ++calls;
        if (holds) {
            Event event;
            held.push_back(&event);
            co_await must(event.wait(context));
        }
        co_return answer;
    }
    void release() {
        for (auto* event : std::exchange(held, {}))
            event->notify();
    }
};

const Error kOut(Kind::unavailable, "it is out");
using Answer = FallbackAnswer<int>;

task<void> call_into(Context& context, Fallback<int>& fallback, Remote& remote, std::string key,
                     std::vector<Result<Answer>>& answers) {
    answers.push_back(co_await fallback.call(context, std::move(key), [&](Context& own) { return remote.ask(own); }));
}

/// One place that calls the remote; everything runs on a world whose clock the test moves.
struct CallSite {
    explicit CallSite(FallbackOptions<int> options) : fallback(std::move(options)) {}

    Result<Answer> call(const std::string& key = "a") {
        std::vector<Result<Answer>> answers;
        Scope scope(context);
        scope.spawn(call_into(scope.context(), fallback, remote, key, answers));
        world.run_posted();
        if (answers.empty()) throw std::logic_error("the call did not end");
        return std::move(answers.front());
    }

    ManualWorld world;
    Context context{world};
    Remote remote;
    Fallback<int> fallback;
};

// Goal: the last good answer of the same key stands in, up to its age limit, and says how old it is and why.
TEST(Fallback, TheLastGoodAnswerStandsIn) {
    CallSite site({.age_max = 1min});
    const auto good = site.call();
    EXPECT_EQ(good->by, AnsweredBy::call);
    EXPECT_FALSE(good->stale());
    site.remote.answer = kOut;
    site.world.pass(59s);
    const auto stale = site.call();
    ASSERT_TRUE(stale);
    EXPECT_EQ(stale->value, 1);
    EXPECT_TRUE(stale->stale());
    EXPECT_EQ(stale->age, 59s);
    EXPECT_EQ(stale->failed->message(), "it is out");
    EXPECT_EQ(site.call("b").error(), kOut) << "another key has none";
    site.world.pass(1s);
    EXPECT_EQ(site.call().error(), kOut) << "it is too old";
    EXPECT_EQ(site.fallback.counts().last_good, 1U);
    EXPECT_EQ(site.fallback.counts().failed, 2U);
}

// Goal: an answer is an answer: who was not found is not brought back.
TEST(Fallback, DoesNotReplaceAnswers) {
    CallSite site({.age_max = 1min, .otherwise = 7});
    ASSERT_TRUE(site.call());
    for (const auto kind : {Kind::not_found, Kind::conflict, Kind::invalid, Kind::forbidden, Kind::cancelled}) {
        site.remote.answer = Error(kind, "no");
        const auto outcome = site.call();
        ASSERT_FALSE(outcome) << name(kind);
        EXPECT_EQ(outcome.error().kind(), kind);
    }
}

// Goal: an answer that is no outage ends what was known before; a caller that left is no answer.
TEST(Fallback, AnAnswerEndsWhatWasKnown) {
    CallSite site({.age_max = 1min, .keeping = [](const int& answer) {
                       return answer < 100 ? Keeping::keep : answer < 200 ? Keeping::forget : Keeping::leave;
                   }});
    const auto after = [&site](Result<int> answer) {
        site.remote.answer = 1;
        EXPECT_TRUE(site.call());
        site.remote.answer = std::move(answer);
        std::ignore = site.call();
        site.remote.answer = kOut;
        return site.call();
    };
    EXPECT_EQ(after(Error(Kind::not_found, "it has gone")).error(), kOut);
    EXPECT_EQ(after(100).error(), kOut) << "which passes, and is not kept";
    EXPECT_EQ(after(200)->value, 1) << "which passes, and says nothing";
    EXPECT_EQ(after(Error(Kind::exhausted, "the quota is spent"))->value, 1);
    EXPECT_EQ(after(Error(Kind::cancelled, "the caller has gone"))->value, 1);
    EXPECT_EQ(after(kOut)->value, 1);
}

// Goal: a call need not wait for another try while there is something to answer instead; without that it may.
TEST(Fallback, ACallForWhichSomethingStandsInDoesNotWait) {
    ManualWorld world;
    Context context(world);
    Fallback<int> fallback({.age_max = 1min, .wait_max = 40ms});
    std::vector<std::optional<Duration>> waits;
    const auto call = [&](Context& own) -> task<Result<int>> {
        const auto* limit = own.carried<StandsIn>();
        waits.push_back(limit == nullptr ? std::nullopt : std::optional(limit->wait_max));
        co_return 1;
    };
    for (const auto pass : {0s, 59s, 61s}) {
        world.pass(pass);
        Scope scope(context);
        scope.spawn([](Context& its, auto& site, auto& ask) -> task<void> {
            EXPECT_TRUE(co_await site.call(its, "a", ask));
        }(scope.context(), fallback, call));
        world.run_posted();
    }
    EXPECT_EQ(waits, (std::vector<std::optional<Duration>>{std::nullopt, 40ms, std::nullopt}));
}

// Goal: a default and a function stand in where there is no last good answer; when that fails too, the first error is
// told.
TEST(Fallback, ADefaultOrAFunctionStandsIn) {
    CallSite with_default({.otherwise = 7});
    with_default.remote.answer = kOut;
    EXPECT_EQ(with_default.call()->value, 7);
    EXPECT_EQ(with_default.call()->by, AnsweredBy::otherwise);

    CallSite with_function({.age_max = 1min, .otherwise_by = [](Context&, std::string key) -> task<Result<int>> {
                                if (key == "none") co_return Error(Kind::not_found, "nor here");
                                co_return static_cast<int>(key.size());
                            }});
    with_function.remote.answer = kOut;
    EXPECT_EQ(with_function.call("four")->value, 4);
    EXPECT_TRUE(with_function.call("four")->stale());
    EXPECT_EQ(with_function.call("none").error(), kOut);
}

// Goal: a thousand who miss the same key make one call, and another key another.
TEST(Fallback, AThousandMissesMakeOneCall) {
    for (const bool succeeds : {true, false}) {
        CallSite site({.age_max = 1min, .otherwise = 7});
        site.remote.holds = true;
        if (!succeeds) site.remote.answer = kOut;
        std::vector<Result<Answer>> answers;
        Scope scope(site.context);
        for (int i = 0; i < 1000; ++i)
            scope.spawn(call_into(scope.context(), site.fallback, site.remote, "a", answers));
        scope.spawn(call_into(scope.context(), site.fallback, site.remote, "b", answers));
        EXPECT_EQ(site.remote.calls, 2);
        site.remote.release();
        site.world.run_posted();
        EXPECT_EQ(site.remote.calls, 2);
        ASSERT_EQ(answers.size(), 1001U);
        for (const auto& answer : answers)
            EXPECT_EQ(answer->value, succeeds ? 1 : 7);
    }
}

// Goal: a young answer is given without a call, an old one is not.
TEST(Fallback, AFreshAnswerNeedsNoCall) {
    CallSite site({.fresh_for = 5s});
    (void)site.call();
    site.world.pass(5s - 1ns);
    EXPECT_EQ(site.call()->by, AnsweredBy::recent);
    EXPECT_FALSE(site.call()->stale());
    EXPECT_EQ(site.remote.calls, 1);
    site.world.pass(1ns);
    EXPECT_EQ(site.call()->by, AnsweredBy::call);
    EXPECT_EQ(site.remote.calls, 2);
}

// Goal: no more is kept than may be; what was not asked for the longest goes.
TEST(Fallback, KeepsTheEntriesAskedForLast) {
    CallSite site({.age_max = 1min, .entries_max = 2});
    (void)site.call("a");
    (void)site.call("b");
    site.remote.answer = kOut;
    EXPECT_TRUE(site.call("a"));
    site.remote.answer = 2;
    (void)site.call("c");
    EXPECT_EQ(site.fallback.size(), 2U);
    site.remote.answer = kOut;
    EXPECT_TRUE(site.call("a"));
    EXPECT_TRUE(site.call("c"));
    EXPECT_FALSE(site.call("b"));
    site.fallback.forget("a");
    EXPECT_FALSE(site.call("a"));
}

/// Calls of one key under way, each in a context of its own.
struct Callers {
    explicit Callers(World& world) : root(world), scope(root) {}
    Context& add(SingleFlight<int>& flights, Remote& remote) {
        contexts.push_back(std::make_unique<Context>(root));
        scope.spawn(run(*contexts.back(), flights, remote, answers));
        return *contexts.back();
    }
    static task<void> run(Context& context, SingleFlight<int>& flights, Remote& remote,
                          std::vector<Result<int>>& answers) {
        answers.push_back(co_await flights.run(context, "a", [&](Context& own) { return remote.ask(own); }));
    }
    Context root;
    std::vector<std::unique_ptr<Context>> contexts;
    std::vector<Result<int>> answers;
    Scope scope;
};

// Goal: when the caller whose call it is leaves, the next one makes it; who leaves while waiting leaves alone.
TEST(SingleFlight, TheNextInLineTakesOver) {
    ManualWorld world;
    SingleFlight<int> flights;
    Remote remote{.holds = true};
    Callers callers(world);
    auto& first = callers.add(flights, remote);
    auto& second = callers.add(flights, remote);
    callers.add(flights, remote);
    callers.add(flights, remote);
    second.cancel(Error(Kind::cancelled, "gone"));
    world.run_posted();
    ASSERT_EQ(callers.answers.size(), 1U);
    EXPECT_EQ(callers.answers[0].error().kind(), Kind::cancelled);
    EXPECT_EQ(remote.calls, 1);

    first.cancel(Error(Kind::deadline_exceeded, "too late"));
    remote.held.clear();
    world.run_posted();
    EXPECT_EQ(remote.calls, 2);
    ASSERT_EQ(callers.answers.size(), 2U);
    EXPECT_EQ(callers.answers[1].error().kind(), Kind::deadline_exceeded);
    remote.release();
    world.run_posted();
    ASSERT_EQ(callers.answers.size(), 4U);
    EXPECT_EQ(callers.answers[2], 1);
    EXPECT_EQ(callers.answers[3], 1);
    EXPECT_EQ(remote.calls, 2);
    EXPECT_EQ(flights.size(), 0U);
}

// Goal: callers that are destroyed where they are leave nothing behind, and a later one makes its own call.
TEST(SingleFlight, DestroyedCallersLeaveNothingBehind) {
    ManualWorld world;
    SingleFlight<int> flights;
    Remote remote{.holds = true};
    {
        Callers callers(world);
        for (int i = 0; i < 3; ++i)
            callers.add(flights, remote);
        EXPECT_EQ(flights.size(), 1U);
    }
    world.run_posted();
    EXPECT_EQ(flights.size(), 0U);
    remote.holds = false;
    Callers later(world);
    later.add(flights, remote);
    ASSERT_EQ(later.answers.size(), 1U);
    EXPECT_EQ(later.answers[0], 1);
    EXPECT_EQ(flights.size(), 0U);
}

} // namespace
} // namespace flotilla::fallback_test
