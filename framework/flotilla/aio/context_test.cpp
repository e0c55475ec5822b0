#include <flotilla/aio/context.hpp>

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::context_test {
namespace {

using namespace std::chrono_literals;

Error stop_it() { return {Kind::cancelled, "stop it"}; }

// Goal: a sleep lasts at least as long as asked, on the world's clock.
TEST(Sleep, LastsAtLeastDuration) {
    Loop loop;
    Context context(loop.world());
    auto body = [](Context& ctx) -> task<Duration> {
        const Instant before = ctx.world().monotonic();
        EXPECT_TRUE(co_await sleep_for(ctx, 3ms));
        co_return ctx.world().monotonic() - before;
    };
    EXPECT_GE(loop.run_until_done(body(context)), 3ms);
}

// Goal: a deadline ends a sleep with deadline_exceeded, not before it has passed.
TEST(Sleep, DeadlineEndsIt) {
    Loop loop;
    Context parent(loop.world());
    const Instant start = loop.world().monotonic();
    Context context(parent, 5ms);
    const auto result = loop.run_until_done(sleep_for(context, 1h));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind(), Kind::deadline_exceeded);
    EXPECT_GE(loop.world().monotonic(), start + 5ms);
    EXPECT_TRUE(context.cancelled());
    EXPECT_FALSE(parent.cancelled());
    EXPECT_EQ(context.remaining(), 0ns);
}

// Goal: a sleep for longer than the clock reaches waits until it is cancelled.
TEST(Sleep, EndlessDurationDoesNotOverflow) {
    Loop loop;
    Context parent(loop.world());
    Context endless(parent, Duration::max());
    EXPECT_TRUE(endless.deadline().is_never());
    Context context(endless, 2ms);
    EXPECT_FALSE(loop.run_until_done(sleep_for(context, Duration::max())));
}

// Goal: how critical work is holds for all that is done on its behalf, whatever else a child is given.
TEST(Context, ChildrenInheritCriticality) {
    Loop loop;
    Context parent(loop.world());
    EXPECT_EQ(parent.criticality, Criticality::normal);
    parent.criticality = Criticality::sheddable;
    Context child(parent, 5ms);
    Context grandchild(child);
    EXPECT_EQ(grandchild.criticality, Criticality::sheddable);
}

// Goal: the three names are read as they are written; whatever else is refused with what was found, cut to a length.
TEST(Criticality, ReadsItsOwnNamesOnly) {
    for (const auto each : {Criticality::sheddable, Criticality::normal, Criticality::critical})
        EXPECT_EQ(parse_criticality(name(each)).value(), each);
    for (const auto* wrong : {"", "CRITICAL", "critical ", "high"}) {
        const auto refused = parse_criticality(wrong);
        ASSERT_FALSE(refused) << wrong;
        EXPECT_EQ(refused.error().kind(), Kind::invalid);
        EXPECT_EQ(refused.error().message(),
                  "a criticality is critical, normal or sheddable, not \"" + std::string(wrong) + "\"");
    }
    EXPECT_LT(parse_criticality(std::string(5000, 'x')).error().message().size(), 100u);
}

// Goal: a context whose deadline has passed is cancelled from the start; nothing is begun.
TEST(Context, PassedDeadlineIsCancelledAtOnce) {
    Loop loop;
    Context parent(loop.world());
    const Context context(parent, 0ms);
    ASSERT_TRUE(context.cancelled());
    EXPECT_EQ(context.check().error().kind(), Kind::deadline_exceeded);
}

// Goal: children inherit trace, principal and the earlier deadline.
TEST(Context, ChildInheritsAndTightens) {
    Loop loop;
    Context root(loop.world());
    root.principal.subject = "someone";
    root.trace.baggage = "a=b";
    Context outer(root, 1h);
    const Context longer(outer, 2h);
    const Context shorter(outer, 1min);
    EXPECT_TRUE(root.deadline().is_never());
    EXPECT_EQ(root.remaining(), Duration::max());
    EXPECT_EQ(longer.deadline(), outer.deadline());
    EXPECT_LT(shorter.deadline(), outer.deadline());
    EXPECT_EQ(shorter.principal.subject, "someone");
    EXPECT_EQ(shorter.trace.trace_id, root.trace.trace_id);
    EXPECT_EQ(shorter.trace.baggage, "a=b");
    EXPECT_LE(shorter.remaining(), 1min);
}

// Goal: a deadline can be moved both ways, never beyond the parent's, and counts from then on.
TEST(Context, MovedDeadlineCounts) {
    Loop loop;
    Context parent(loop.world());
    const Instant start = loop.world().monotonic();
    Context bounded(parent, Deadline{start + 1h});
    Context context(bounded, Deadline{start + 5ms});
    context.set_deadline(Deadline{start + 2h});
    EXPECT_EQ(context.deadline(), bounded.deadline());
    EXPECT_TRUE(loop.run_until_done(sleep_for(context, 10ms)));
    EXPECT_FALSE(context.cancelled());
    context.set_deadline(Deadline{start + 12ms});
    const auto slept = loop.run_until_done(sleep_for(context, 1h));
    EXPECT_EQ(slept ? Kind::internal : slept.error().kind(), Kind::deadline_exceeded);
    EXPECT_FALSE(bounded.cancelled());
}

// Goal: a deadline moved into the past ends the context at once; what has ended stays ended.
TEST(Context, DeadlineMovedIntoThePastEndsIt) {
    Loop loop;
    Context parent(loop.world());
    Context context(parent, 1h);
    context.set_deadline(Deadline{loop.world().monotonic()});
    ASSERT_TRUE(context.cancelled());
    EXPECT_EQ(context.reason().kind(), Kind::deadline_exceeded);
    context.set_deadline(Deadline::never());
    EXPECT_TRUE(context.cancelled());
}

// Goal: cancelling reaches children and grandchildren, not parents; the first reason stays.
TEST(Context, CancelReachesChildrenFirstReasonStays) {
    Loop loop;
    Context root(loop.world());
    Context child(root);
    Context grandchild(child, 1h);
    child.cancel(stop_it());
    child.cancel(Error(Kind::internal, "later"));
    EXPECT_FALSE(root.cancelled());
    EXPECT_EQ(child.reason().message(), "stop it");
    EXPECT_EQ(grandchild.check().error().message(), "stop it");
    const Context late(child);
    EXPECT_EQ(late.check().error().message(), "stop it");
}

// Goal: a child that inherited its deadline is cancelled with its parent when that passes.
TEST(Context, InheritedDeadlineCancelsChild) {
    Loop loop;
    Context root(loop.world());
    Context parent(root, 3ms);
    Context child(parent);
    EXPECT_EQ(loop.run_until_done(sleep_for(child, 1h)).error().kind(), Kind::deadline_exceeded);
}

// Goal: cancel() never runs the cancelled coroutine inside itself; whoever cancels finishes its own step first.
TEST(Context, CancelDoesNotResumeInline) {
    struct Case {
        static task<void> sleeper(Context& ctx, bool& woken) {
            EXPECT_FALSE(co_await sleep_for(ctx, 1h));
            woken = true;
        }
        static task<void> run(Context& ctx) {
            Scope scope(ctx);
            bool woken = false;
            scope.spawn(sleeper(scope.context(), woken));
            scope.cancel(stop_it());
            EXPECT_FALSE(woken);
            co_await scope.join();
            EXPECT_TRUE(woken);
        }
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(Case::run(context));
}

// Goal: a hook may unlink other hooks, and destroy the very context that is being cancelled.
TEST(Context, HookMayDestroyContext) {
    struct Owner {
        std::unique_ptr<Context> context;
        CancelHook first;
        CancelHook second;
        int calls = 0;
        static void destroy(void* self) {
            auto& owner = *static_cast<Owner*>(self);
            ++owner.calls;
            owner.first.unlink();
            owner.second.unlink();
            owner.context.reset();
        }
    };
    Loop loop;
    Context root(loop.world());
    Owner owner;
    owner.context = std::make_unique<Context>(root);
    owner.first.link(*owner.context, &Owner::destroy, &owner);
    owner.second.link(*owner.context, &Owner::destroy, &owner);
    owner.context->cancel(stop_it());
    EXPECT_EQ(owner.calls, 1);
    EXPECT_EQ(owner.context, nullptr);
}

// Goal: a task destroyed while it sleeps leaves nothing behind that could fire.
TEST(Sleep, DestroyWhileSleepingIsSafe) {
    struct Case {
        static task<void> sleeper(Context& ctx, Duration duration) { EXPECT_TRUE(co_await sleep_for(ctx, duration)); }
        static task<void> run(Context& ctx) {
            {
                Scope scope(ctx);
                scope.spawn(sleeper(scope.context(), 1ms));
                scope.cancel(stop_it());
            }
            EXPECT_TRUE(co_await sleep_for(ctx, 3ms));
        }
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(Case::run(context));
}

// Goal: many sleepers wake in the order of their instants.
TEST(Sleep, ManySleepersWakeInOrder) {
    struct Case {
        static task<void> sleeper(Context& ctx, int milliseconds, std::vector<int>& order) {
            EXPECT_TRUE(co_await sleep_for(ctx, milliseconds * 1ms));
            order.push_back(milliseconds);
        }
        static task<std::vector<int>> run(Context& ctx) {
            std::vector<int> order;
            Scope scope(ctx);
            for (const int milliseconds : {9, 2, 5, 1, 7, 3})
                scope.spawn(sleeper(ctx, milliseconds, order));
            co_await scope.join();
            co_return order;
        }
    };
    Loop loop;
    Context context(loop.world());
    EXPECT_EQ(loop.run_until_done(Case::run(context)), (std::vector<int>{1, 2, 3, 5, 7, 9}));
}

} // namespace
} // namespace flotilla::context_test
