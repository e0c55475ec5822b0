#include <flotilla/aio/scope.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::scope_test {
namespace {

using namespace std::chrono_literals;

struct Works {
    static task<Result<int>> later(Context& ctx, int value, Duration delay) {
        co_await must(sleep_for(ctx, delay));
        co_return value;
    }
    static task<Result<std::string>> text(std::string value) { co_return value; }
    static task<Result<int>> fails(Kind kind) { co_return Error(kind, "failed"); }
    static task<Result<int>> throws() {
        throw std::runtime_error("thrown");
        co_return 0;
    }
    static task<Result<void>> nothing() { co_return {}; }
    static task<Result<void>> nothing_fails() { co_return Error(Kind::conflict, "failed"); }
    static task<void> append(Context& ctx, std::vector<int>& to, int value, int turns) {
        co_await several_turns(ctx.world(), turns);
        to.push_back(value);
    }
    static task<void> until_cancelled(Context& ctx, int& ended) {
        EXPECT_FALSE(co_await sleep_for(ctx, 1h));
        ++ended;
    }
    static task<void> throws_after(Context& ctx, int turns) {
        co_await several_turns(ctx.world(), turns);
        throw std::runtime_error("thrown");
    }
};

// Goal: spawned tasks start at once, run beside each other, and join waits for all.
TEST(Scope, JoinWaitsForAll) {
    auto body = [](Context& ctx) -> task<std::vector<int>> {
        std::vector<int> order;
        Scope scope(ctx);
        scope.spawn(Works::append(ctx, order, 3, 6));
        scope.spawn(Works::append(ctx, order, 1, 0));
        EXPECT_EQ(order.size(), 1U) << "started at once";
        scope.spawn(Works::append(ctx, order, 2, 3));
        EXPECT_EQ(scope.running(), 2U);
        co_await scope.join();
        EXPECT_EQ(scope.running(), 0U);
        co_return order;
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_EQ(loop.run_until_done(body(context)), (std::vector<int>{1, 2, 3}));
}

// Goal: joining nothing returns at once, twice too.
TEST(Scope, JoinEmptyReturns) {
    auto body = [](Context& ctx) -> task<void> {
        Scope scope(ctx);
        co_await scope.join();
        co_await scope.join();
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(body(context));
}

// Goal: the first exception leaves through join after everything has ended.
TEST(Scope, JoinRethrowsAfterAllEnded) {
    auto body = [](Context& ctx) -> task<std::size_t> {
        std::vector<int> order;
        Scope scope(ctx);
        scope.spawn(Works::throws_after(ctx, 1));
        scope.spawn(Works::append(ctx, order, 1, 5));
        try {
            co_await scope.join();
            ADD_FAILURE() << "join did not throw";
        } catch (const std::runtime_error&) {
            co_return order.size();
        }
        co_return 99;
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_EQ(loop.run_until_done(body(context)), 1U);
}

// Goal: cancelling the scope, or its parent, cancels what was spawned.
TEST(Scope, CancelReachesSpawned) {
    auto body = [](Context& ctx, bool by_parent) -> task<int> {
        int ended = 0;
        Context own(ctx);
        Scope scope(own);
        for (int i = 0; i < 3; ++i)
            scope.spawn(Works::until_cancelled(scope.context(), ended));
        if (by_parent) {
            own.cancel(Error(Kind::cancelled, "parent"));
        } else {
            scope.cancel(Error(Kind::cancelled, "scope"));
        }
        co_await scope.join();
        co_return ended;
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_EQ(loop.run_until_done(body(context, true)), 3);
    EXPECT_EQ(loop.run_until_done(body(context, false)), 3);
}

// Goal: a scope destroyed without join destroys its tasks where they wait.
TEST(Scope, DestroyUnjoinedDestroysTasks) {
    auto holder = [](Context& ctx, std::shared_ptr<int>) -> task<void> { EXPECT_TRUE(co_await sleep_for(ctx, 1h)); };
    auto body = [](auto& holding, Context& ctx, std::shared_ptr<int> held) -> task<void> {
        Scope scope(ctx);
        for (int i = 0; i < 3; ++i)
            scope.spawn(holding(ctx, held));
        EXPECT_EQ(held.use_count(), 5);
        co_return;
    };
    Loop loop;
    Context context(loop.world());
    auto held = std::make_shared<int>();
    loop.run_until_done(body(holder, context, held));
    EXPECT_EQ(held.use_count(), 1);
}

// Goal: scoped returns the body's result after what it spawned has ended.
TEST(Scoped, ReturnsAfterJoin) {
    Loop loop;
    Context context(loop.world());
    std::vector<int> order;
    auto body = [&](Scope& scope) -> task<Result<int>> {
        scope.spawn(Works::append(scope.context(), order, 1, 3));
        co_return 5;
    };
    EXPECT_EQ(loop.run_until_done(scoped(context, body)).value(), 5);
    EXPECT_EQ(order.size(), 1U);
}

// Goal: when the body fails, by error, by must or by exception, what it spawned is cancelled and joined.
TEST(Scoped, FailureCancelsSpawned) {
    Loop loop;
    Context context(loop.world());
    int ended = 0;
    auto returns_error = [&](Scope& scope) -> task<Result<int>> {
        scope.spawn(Works::until_cancelled(scope.context(), ended));
        co_return Error(Kind::conflict, "failed");
    };
    auto ends_by_must = [&](Scope& scope) -> task<Result<int>> {
        scope.spawn(Works::until_cancelled(scope.context(), ended));
        co_return co_await must(Works::fails(Kind::not_found));
    };
    auto throws = [&](Scope& scope) -> task<void> {
        scope.spawn(Works::until_cancelled(scope.context(), ended));
        throw std::runtime_error("thrown");
        co_return;
    };
    EXPECT_EQ(loop.run_until_done(scoped(context, returns_error)).error().kind(), Kind::conflict);
    EXPECT_EQ(loop.run_until_done(scoped(context, ends_by_must)).error().kind(), Kind::not_found);
    EXPECT_THROW(loop.run_until_done(scoped(context, throws)), std::runtime_error);
    EXPECT_EQ(ended, 3);
}

// Goal: all gives the values in the order of the works, which run at the same time.
TEST(All, ValuesInOrder) {
    auto body = [](Context& ctx) -> task<Result<std::vector<int>>> {
        std::vector<task<Result<int>>> works;
        works.push_back(Works::later(ctx, 1, 6ms));
        works.push_back(Works::later(ctx, 2, 1ms));
        works.push_back(Works::later(ctx, 3, 3ms));
        co_return co_await must(all(ctx, std::move(works)));
    };
    Loop loop;
    Context context(loop.world());
    const Instant before = loop.world().monotonic();
    EXPECT_EQ(loop.run_until_done(body(context)).value(), (std::vector<int>{1, 2, 3}));
    EXPECT_GE(loop.world().monotonic() - before, 6ms);
}

// Goal: all of nothing is an empty success.
TEST(All, EmptySucceeds) {
    Loop loop;
    Context context(loop.world());
    EXPECT_TRUE(loop.run_until_done(all(context, std::vector<task<Result<int>>>())).value().empty());
    EXPECT_TRUE(loop.run_until_done(all(context, std::vector<task<Result<void>>>())));
}

// Goal: works of different types come back as a tuple; the first error in order wins.
TEST(All, DifferentTypesGiveTuple) {
    auto body = [](Context& ctx) -> task<Result<std::string>> {
        auto [number, text] = co_await must(all(ctx, Works::later(ctx, 4, 1ms), Works::text("four")));
        co_return text + std::to_string(number);
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_EQ(loop.run_until_done(body(context)).value(), "four4");
    EXPECT_EQ(loop.run_until_done(all(context, Works::later(context, 1, 1ms), Works::fails(Kind::conflict),
                                      Works::fails(Kind::internal)))
                  .error()
                  .kind(),
              Kind::conflict);
}

// Goal: works without values succeed or fail together.
TEST(All, VoidWorksGiveFirstError) {
    Loop loop;
    Context context(loop.world());
    std::vector<task<Result<void>>> good;
    good.push_back(Works::nothing());
    good.push_back(Works::nothing());
    EXPECT_TRUE(loop.run_until_done(all(context, std::move(good))));
    std::vector<task<Result<void>>> bad;
    bad.push_back(Works::nothing());
    bad.push_back(Works::nothing_fails());
    EXPECT_EQ(loop.run_until_done(all(context, std::move(bad))).error().kind(), Kind::conflict);
}

// Goal: all_settled gives every outcome; an exception leaves after the others have ended.
TEST(AllSettled, GivesEveryOutcome) {
    Loop loop;
    Context context(loop.world());
    std::vector<task<Result<int>>> works;
    works.push_back(Works::fails(Kind::conflict));
    works.push_back(Works::later(context, 2, 1ms));
    const auto outcomes = loop.run_until_done(all_settled(context, std::move(works)));
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_EQ(outcomes[0].error().kind(), Kind::conflict);
    EXPECT_EQ(outcomes[1].value(), 2);

    std::vector<task<Result<int>>> throwing;
    throwing.push_back(Works::throws());
    throwing.push_back(Works::later(context, 2, 1ms));
    EXPECT_THROW((void)loop.run_until_done(all_settled(context, std::move(throwing))), std::runtime_error);
}

// Goal: cancelling the caller's context ends all.
TEST(All, CancelEndsEveryWork) {
    auto body = [](Context& ctx) -> task<Result<std::vector<int>>> {
        Context child(ctx, 2ms);
        std::vector<task<Result<int>>> works;
        for (int i = 0; i < 3; ++i)
            works.push_back(Works::later(child, i, 1h));
        co_return co_await must(all(child, std::move(works)));
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_EQ(loop.run_until_done(body(context)).error().kind(), Kind::deadline_exceeded);
}

/// Counts what runs beside each other, and how each ended.
struct Workshop {
    int running = 0, most = 0, begun = 0, cancelled = 0;

    /// Twice the number, after as many milliseconds; one below zero fails with itself as its code, after as many.
    task<Result<int>> work(Context& context, int number) {
        ++begun;
        most = std::max(most, ++running);
        const auto slept = co_await sleep_for(context, std::chrono::milliseconds(std::abs(number)));
        --running;
        if (!slept) ++cancelled;
        co_await must(slept);
        if (number < 0) co_return Error(Kind::conflict, std::to_string(number), "failed");
        co_return number * 2;
    }
};

// Goal: the values come in the order of the items, and no more run at once than may.
TEST(AllOfItems, ValuesInOrderSoManyAtOnce) {
    Loop loop;
    Context context(loop.world());
    Workshop workshop;
    const auto values =
        loop.run_until_done(all(context, std::vector{5, 1, 4, 2, 3}, &Workshop::work, workshop, {.at_once = 2}));
    EXPECT_EQ(values.value(), (std::vector{10, 2, 8, 4, 6}));
    EXPECT_EQ(workshop.most, 2);
    EXPECT_EQ(workshop.begun, 5);
    EXPECT_TRUE(loop.run_until_done(all(context, std::vector<int>(), &Workshop::work, workshop)).value().empty());
}

// Goal: a lambda may be a temporary, capture, and be a coroutine itself: it lives as long as its work.
TEST(AllOfItems, FunctionLivesUntilTheLastHasEnded) {
    auto body = [](Context& context) -> task<Result<std::vector<std::string>>> {
        return all(context, std::vector<std::string>{"a", "b"},
                   [suffix = std::string("a text that is too long to be kept in place")](
                       Context& own, std::string item) -> task<Result<std::string>> {
                       co_await must(sleep_for(own, 1ms));
                       co_return item + suffix;
                   },
                   {.at_once = 1});
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_EQ(loop.run_until_done(body(context)).value()[1], "ba text that is too long to be kept in place");
}

// Goal: the first error in the items' order counts; what comes behind it is cancelled or never begun.
TEST(AllOfItems, FirstErrorInOrderCancelsWhatIsBehind) {
    Loop loop;
    Context context(loop.world());
    Workshop workshop;
    const auto failed = loop.run_until_done(
        all(context, std::vector{-30, 20, -5, 60'000, 1, 2}, &Workshop::work, workshop, {.at_once = 4}));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), "-30"); // slower than -5, but before it
    EXPECT_EQ(workshop.begun, 4);
    EXPECT_EQ(workshop.cancelled, 1); // the long one; 20 stands before -5 and goes on
    EXPECT_EQ(workshop.running, 0);
}

// Goal: the caller's deadline ends all.
TEST(AllOfItems, DeadlineEndsEveryItem) {
    Loop loop;
    Context context(loop.world());
    Context bounded(context, 5ms);
    Workshop workshop;
    const auto late = loop.run_until_done(
        all(bounded, std::vector{60'000, 60'000, 60'000}, &Workshop::work, workshop, {.at_once = 2}));
    EXPECT_EQ(late.error().kind(), Kind::deadline_exceeded);
    EXPECT_EQ(workshop.begun, 2);
}

// Goal: an exception leaves once the others have ended, and no more are begun.
TEST(AllOfItems, ExceptionLeavesAfterTheOthers) {
    Loop loop;
    Context context(loop.world());
    int ended = 0;
    const auto work = [&ended](Context& own, int item) -> task<Result<int>> {
        if (item == 0) throw std::runtime_error("a bug");
        std::ignore = co_await sleep_for(own, 2ms);
        co_return ++ended;
    };
    EXPECT_THROW((void)loop.run_until_done(all(context, std::vector{1, 0, 2, 3}, work, {.at_once = 2})),
                 std::runtime_error);
    EXPECT_EQ(ended, 1);
}

} // namespace
} // namespace flotilla::scope_test
