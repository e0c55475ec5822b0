#pragma once

#include <optional>
#include <utility>

#include <flotilla/aio/scope.hpp>
#include <flotilla/resilience/target_call.hpp>

namespace flotilla {

namespace detail {

/// The two of a hedged call.
template <class T, class Exchange>
struct HedgedCall {
    Targets& targets;
    Target& target;
    Exchange& exchange;
    Context& context; ///< of both: who wins cancels the other
    TargetCall& first_call;
    std::optional<Result<T>> first, second;
    bool second_begun = false;

    void cancel_other() { context.cancel(Error(Kind::cancelled, "the other of a hedged call has answered")); }
};

template <class T, class Exchange>
task<void> first_of(HedgedCall<T, Exchange>& both) {
    const auto began = both.context.world().monotonic();
    both.first.emplace(co_await both.exchange(both.context, both.first_call));
    // One that was cancelled for the other took at least so long.
    if (*both.first || both.second) {
        const auto now = both.context.world().monotonic();
        both.target.latencies().observe(now - began, now);
    }
    if (*both.first || !both.second_begun) both.cancel_other();
}

template <class T, class Exchange>
task<void> second_of(HedgedCall<T, Exchange>& both, Duration delay) {
    if (!co_await sleep_for(both.context, delay)) co_return;
    auto traits = both.first_call.traits();
    traits.repeatable = false; // it is a repetition itself, and tries nobody out
    traits.options = nullptr;  // they say nothing of that, and may have been replaced
    TargetCall call(both.targets, both.target, both.context, traits);
    if (!call.begin_beside(both.first_call)) co_return;
    both.second_begun = true;
    both.second.emplace(co_await both.exchange(both.context, call));
    if (*both.second) both.cancel_other();
}

} // namespace detail

/// A call of which it does not matter whether it is done twice, with a second one beside it when the first takes longer
/// than most do (HedgingOptions): at another instance, once, and out of the retry budget. The first that succeeds is
/// the outcome, and the other is cancelled. When none does it is the first one's error. `exchange` makes the call,
/// whole: `task<Result<T>>(Context&, TargetCall&)`. It is called once or twice. Requires: traits.repeatable.
template <class T, class Exchange>
task<Result<T>> hedged_call(Targets& targets, Target& target, Context& context, CallTraits traits, Exchange exchange) {
    Context own(context);
    TargetCall first_call(targets, target, own, traits);
    detail::HedgedCall<T, Exchange> both{targets, target, exchange, own, first_call, {}, {}};
    const auto& options = traits.options == nullptr ? target.options() : *traits.options;
    const auto delay = hedging_delay(options.hedging, target.latencies(), own.world().monotonic());
    Scope scope(own);
    scope.spawn(detail::first_of(both));
    if (delay && !both.first) scope.spawn(detail::second_of(both, *delay));
    co_await scope.join();
    co_return std::move(both.second && *both.second ? *both.second : *both.first);
}

} // namespace flotilla
