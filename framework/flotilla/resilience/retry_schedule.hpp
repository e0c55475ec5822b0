#pragma once

#include <cstdint>
#include <string_view>

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/deadline.hpp>
#include <flotilla/resilience/options.hpp>

namespace flotilla {

/// For whom a call is retried.
enum class RetryProfile : unsigned char {
    in_request, ///< somebody waits: another instance at once, a short backoff only when there is none left
    background  ///< a job, an event: exponential backoff before every further try, as the requirements say
};

/// Why there is no further try.
enum class NoRetry : unsigned char {
    retries_spent,        ///< `Max retries exceeded`
    retry_after_too_long, ///< the answer's Retry-After ends behind the deadline
    stands_in,            ///< something else is answered before so long a wait
    no_time_left          ///< the deadline comes before a further try could begin
};

/// "Max retries exceeded" and the like, for error messages.
std::string_view describe(NoRetry why);

/// What whoever asked for a call knows of its retries.
struct RetryLimits {
    /// Tries of the same request that were spent already (http/attempts.hpp). They count as this call's own, so that
    /// all hops together make as many as one may.
    std::uint32_t spent = 0;
    /// The longest wait before a further try.
    Duration wait_max = Duration::max();
};

/// Hangs on the context of calls that need not succeed: there is something else to answer (Fallback), which is worth
/// more than a fresh answer after a longer wait than this.
struct StandsIn {
    Duration wait_max;
};

/// When and how long the tries of one call are. Says nothing about whether the call may be repeated at all, nor about
/// the budget. A value per call; nothing allocates. Thread-safety: none.
class RetrySchedule {
public:
    RetrySchedule(RetryProfile profile, const TargetOptions& options, Deadline deadline, RetryLimits limits = {});

    /// When the try that begins now must have its answer. Inside a request half of what remains: should it hang, there
    /// is as much again for all further ones. The last try, and any of a call that may not be repeated, has all of it.
    Deadline attempt_deadline(Instant now, bool repeatable) const;

    struct Next {
        bool retry = false;
        NoRetry why_not{};        ///< when not
        Duration wait{};          ///< before it; zero: at once
        std::uint32_t number = 0; ///< of the retry, from 1: "Retry attempt 1 after 1000ms"
    };
    /// After a try has failed, or found no instance. other_left: there is an instance that was not tried.
    /// retry_after: as the answer said; zero: it did not. Waits have full jitter.
    Next next(Instant now, bool other_left, Duration retry_after, std::uint64_t random);

    /// Tries before the one that is made now, those of the hops above included.
    std::uint32_t spent() const { return limits_.spent + retries_; }
    /// The one try of this call is made beside the first one of another.
    void count_beside(const RetrySchedule& first) { limits_.spent = first.spent() + 1; }

private:
    RetryProfile profile_;
    Deadline deadline_;
    RetryLimits limits_;
    Duration attempt_;
    Backoff backoff_;
    std::uint32_t retries_max_; ///< of all hops
    std::uint32_t retries_ = 0; ///< granted so far
};

} // namespace flotilla
