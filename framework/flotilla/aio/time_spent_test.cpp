#include <flotilla/aio/time_spent.hpp>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/manual_world.hpp>
#include <flotilla/aio/offload.hpp>
#include <flotilla/aio/scope.hpp>

namespace flotilla::time_spent_test {
namespace {

using namespace std::chrono_literals;
using On = TimeSpent::On;
using Part = TimeSpent::Part;
using Interval = TimeSpent::Interval;

class TimeSpentTest : public testing::Test {
protected:
    /// Moves the clock to so long after the beginning.
    void to(Duration time) { world.at = ManualWorld::kOrigin + time; }
    std::unique_ptr<Interval> begin(On kind) { return std::make_unique<Interval>(context, kind); }

    ManualWorld world;
    Context context{world};
    TimeSpent spent{world};
    TimeSpent::Attachment attached{context, &spent};
};

// Goal: calls in parallel do not add up to more than the time they took together; the slowest is named.
TEST_F(TimeSpentTest, OverlappingCallsCountOnce) {
    auto first = begin(On::calls);
    to(20ms);
    auto second = begin(On::calls);
    to(60ms);
    second->note_call({"GET ", "user-service", "/users/{id}"});
    second.reset();
    to(100ms);
    first->note_call({"GET ", "product-service", "/products/{id}"});
    first.reset();
    to(130ms);
    begin(On::calls)->note_call({"at once"});
    to(150ms);
    EXPECT_EQ(spent.on(On::calls), 100ms);
    EXPECT_EQ(spent.rest(150ms), 50ms);
    EXPECT_EQ(spent.overlap(), 0ms);
    EXPECT_EQ(spent.call_count(), 3u);
    EXPECT_EQ(spent.slowest_call(), 100ms);
    EXPECT_EQ(spent.slowest_call_name(), "GET product-service/products/{id}");
}

// Goal: work that ended while the loop was held up in a turn, behind its reading of the clock, counts in full.
TEST_F(TimeSpentTest, WorkThatEndsDuringALongTurnCountsInFull) {
    for (const auto kind : {On::offload, On::database}) {
        auto work = begin(kind);
        world.unread = 8ms;
        work->divide(1ms, 5ms, 2ms);
        work.reset();
    }
    EXPECT_EQ(spent.part(Part::offload_run), 5ms);
    EXPECT_EQ(spent.part(Part::offload_return), 2ms);
    EXPECT_EQ(spent.part(Part::database_body), 5ms);
    EXPECT_EQ(spent.part(Part::database_commit), 2ms);
    EXPECT_EQ(spent.rest(16ms), 0ms);
}

// Goal: what overlaps across kinds is shown as it is, and the sum says by how much.
TEST_F(TimeSpentTest, KindsPartsAndRestAddUpToDurationAndOverlap) {
    auto call = begin(On::calls);
    to(50ms);
    auto transaction = begin(On::database);
    to(100ms);
    call.reset();
    to(150ms);
    transaction->divide(10ms, 20ms, 60ms);
    transaction.reset();
    to(200ms);
    EXPECT_EQ(spent.part(Part::database_queue), 10ms);
    EXPECT_EQ(spent.part(Part::database_body), 20ms);
    EXPECT_EQ(spent.part(Part::database_commit), 60ms);
    EXPECT_EQ(spent.part(Part::database_return), 10ms);
    EXPECT_EQ(spent.on(On::database), 100ms);
    EXPECT_EQ(spent.rest(200ms), 50ms);
    EXPECT_EQ(spent.overlap(), 50ms);
}

// Goal: a transaction that never came to run was queueing; a wall clock that jumps makes nothing longer than it was.
TEST_F(TimeSpentTest, UndividedIsQueueingAndJumpsAreCut) {
    auto withdrawn = begin(On::database);
    to(30ms);
    withdrawn.reset();
    EXPECT_EQ(spent.part(Part::database_queue), 30ms);

    auto ahead = begin(On::database);
    to(40ms);
    ahead->divide(10h, 10h, 10h);
    ahead.reset();
    auto behind = begin(On::database);
    to(50ms);
    behind->divide(-10h, -10h, -10h);
    behind.reset();
    EXPECT_EQ(spent.part(Part::database_queue), 40ms);
    EXPECT_EQ(spent.part(Part::database_return), 10ms);
    EXPECT_EQ(spent.on(On::database), 50ms);
    EXPECT_EQ(spent.overlap(), 0ms);
}

// Goal: children account to the same request; without an account nothing is kept, and after the request nothing hangs.
TEST_F(TimeSpentTest, ChildrenInheritTheAccountUntilItsEnd) {
    {
        Context root(world);
        TimeSpent own(world);
        {
            const TimeSpent::Attachment accounted(root, &own);
            Context child(root, 1s);
            const Interval interval(child, On::answer);
            to(5ms);
        }
        EXPECT_EQ(own.on(On::answer), 5ms);
        EXPECT_EQ(root.time_spent, nullptr);
        Interval nobody(root, On::database);
        nobody.divide(1ms, 1ms, 1ms);
        EXPECT_FALSE(nobody.counts());
    }
    EXPECT_EQ(spent.on(On::answer), 0ms);
}

// Goal: a name that is too long is cut, not written past its place.
TEST_F(TimeSpentTest, LongNameIsCut) {
    const std::string service(60, 's');
    const std::string path(200, 'p');
    spent.note_call(1ms, {"GET ", service, path});
    EXPECT_EQ(spent.slowest_call_name(), "GET " + service + std::string(32, 'p'));
}

/// An interval of `offload`: it queues, runs, and comes back to the loop.
struct Work {
    Duration begin, run_from, run_to, end;
};

/// By hand: how much of the time any of the intervals covers, millisecond by millisecond.
template <class From, class To>
Duration covered(const std::vector<Work>& works, From from, To until) {
    Duration sum{};
    for (Duration at{}; at < 1s; at += 1ms) {
        for (const auto& work : works) {
            if (from(work) > at || at >= until(work)) continue;
            sum += 1ms;
            break;
        }
    }
    return sum;
}

// Goal: whatever overlaps with whatever, no part counts twice, kinds are exact, and two intervals are exact in any
// order.
TEST_F(TimeSpentTest, RandomOverlapsNeverCountTwice) {
    std::mt19937 random(7);
    const auto below = [&](int limit) { return std::chrono::milliseconds(random() % static_cast<unsigned>(limit)); };
    for (int round = 0; round < 500; ++round) {
        to(0ms);
        TimeSpent own(world);
        const TimeSpent::Attachment accounted(context, &own);
        std::vector<Work> works(1 + random() % 4);
        for (auto& work : works) {
            work.begin = below(200);
            work.run_from = work.begin + below(50);
            work.run_to = work.run_from + below(100);
            work.end = work.run_to + below(20);
        }
        std::vector<std::unique_ptr<Interval>> open(works.size());
        for (Duration at{}; at < 1s; at += 1ms) {
            to(at);
            for (std::size_t i = 0; i < works.size(); ++i) {
                if (works[i].begin == at) open[i] = begin(On::offload);
            }
            for (std::size_t i = 0; i < works.size(); ++i) {
                if (works[i].end != at || !open[i]) continue;
                open[i]->divide(works[i].run_from - works[i].begin, works[i].run_to - works[i].run_from, {});
                open[i].reset();
            }
        }
        const auto whole = covered(works, [](auto& w) { return w.begin; }, [](auto& w) { return w.end; });
        const auto queue = covered(works, [](auto& w) { return w.begin; }, [](auto& w) { return w.run_from; });
        const auto run = covered(works, [](auto& w) { return w.run_from; }, [](auto& w) { return w.run_to; });
        EXPECT_EQ(own.on(On::offload), whole) << "round " << round;
        EXPECT_LE(own.part(Part::offload_queue), queue) << "round " << round;
        EXPECT_LE(own.part(Part::offload_run), run) << "round " << round;
        if (works.size() > 2) continue;
        EXPECT_EQ(own.part(Part::offload_queue), queue) << "round " << round;
        EXPECT_EQ(own.part(Part::offload_run), run) << "round " << round;
    }
}

task<void> store(Context& context, std::function<Result<int>()> work, std::optional<Result<int>>& into) {
    into.emplace(co_await offload(context, std::move(work)));
}

// Goal: offloaded work tells how long it waited for a thread, ran, and lay until the loop took it.
TEST_F(TimeSpentTest, OffloadTellsQueueRunAndReturn) {
    std::optional<Result<int>> result;
    Scope scope(context);
    scope.spawn(store(context, [this]() -> Result<int> { return world.pass(50ms), 7; }, result));
    world.run_posted();
    world.pass(30ms);
    EXPECT_EQ(world.blocking_load().waiting, 1u);
    world.begin_blocking();
    world.pass(5ms);
    world.run_posted();
    ASSERT_TRUE(result);
    EXPECT_EQ(spent.part(Part::offload_queue), 30ms);
    EXPECT_EQ(spent.part(Part::offload_run), 50ms);
    EXPECT_EQ(spent.part(Part::offload_return), 5ms);
    EXPECT_EQ(spent.rest(85ms), 0ms);
}

// Goal: a caller that gives up knows whether it waited for a thread or for the work.
TEST_F(TimeSpentTest, AbandonedOffloadTellsWhatItWaitedFor) {
    std::optional<Result<int>> queued;
    std::optional<Result<int>> running;
    {
        Context impatient(context, 40ms);
        Scope scope(impatient);
        scope.spawn(store(scope.context(), [] { return Result<int>(1); }, queued));
        world.run_posted();
        world.advance(world.at + 41ms);
        world.run_posted();
    }
    EXPECT_EQ((*queued).error().kind(), Kind::deadline_exceeded);
    EXPECT_EQ(spent.part(Part::offload_queue), 41ms);
    EXPECT_EQ(spent.part(Part::offload_run), 0ms);
    world.begin_blocking();

    Context impatient(context, 40ms);
    Scope scope(impatient);
    const auto work = [&]() -> Result<int> {
        world.advance(world.at + 30ms + 11ms); // the deadline passes meanwhile
        world.run_posted();
        return 2;
    };
    scope.spawn(store(scope.context(), work, running));
    world.run_posted();
    world.pass(10ms);
    world.begin_blocking();
    EXPECT_EQ((*running).error().kind(), Kind::deadline_exceeded);
    EXPECT_EQ(spent.part(Part::offload_queue), 51ms);
    EXPECT_EQ(spent.part(Part::offload_run), 41ms);
    world.run_posted();
}

} // namespace
} // namespace flotilla::time_spent_test
