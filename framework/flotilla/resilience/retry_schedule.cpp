#include <flotilla/resilience/retry_schedule.hpp>

#include <algorithm>
#include <utility>

namespace flotilla {
namespace {

/// A try with less time than a tick of the loop's timers cannot succeed.
constexpr Duration kAttemptMin = std::chrono::milliseconds(1);

Backoff backoff_of(RetryProfile profile, const RetryOptions& options) {
    if (profile == RetryProfile::background) return {options.background_backoff, options.background_backoff_max};
    return {options.backoff, options.backoff_max};
}

} // namespace

std::string_view describe(NoRetry why) {
    switch (why) {
    case NoRetry::retries_spent:
        return "Max retries exceeded";
    case NoRetry::retry_after_too_long:
        return "it asks to come back only after the deadline";
    case NoRetry::stands_in:
        return "something else is answered before another try could begin";
    case NoRetry::no_time_left:
        return "no time is left for another try";
    }
    std::unreachable();
}

RetrySchedule::RetrySchedule(RetryProfile profile, const TargetOptions& options, Deadline deadline, RetryLimits limits)
    : profile_(profile), deadline_(deadline), limits_(limits), attempt_(options.timeouts.attempt),
      backoff_(backoff_of(profile, options.retry)), retries_max_(options.retry.retries) {}

Deadline RetrySchedule::attempt_deadline(Instant now, bool repeatable) const {
    if (profile_ == RetryProfile::background) return Deadline::after(now, attempt_).earlier(deadline_);
    if (!repeatable || spent() >= retries_max_ || deadline_.is_never()) return deadline_;
    return {now + deadline_.remaining(now) / 2};
}

RetrySchedule::Next RetrySchedule::next(Instant now, bool other_left, Duration retry_after, std::uint64_t random) {
    if (spent() >= retries_max_) return {.why_not = NoRetry::retries_spent};
    const auto remaining = deadline_.remaining(now);
    if (retry_after > Duration::zero() && retry_after >= remaining) return {.why_not = NoRetry::retry_after_too_long};
    const bool at_once = profile_ == RetryProfile::in_request && other_left;
    const auto wait = at_once ? Duration::zero() : std::max(backoff_.next(random), retry_after);
    if (wait > limits_.wait_max) return {.why_not = NoRetry::stands_in};
    if (remaining - wait < kAttemptMin) return {.why_not = NoRetry::no_time_left};
    return {.retry = true, .wait = wait, .number = ++retries_};
}

} // namespace flotilla
