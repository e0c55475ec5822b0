#pragma once

#include <optional>
#include <string>
#include <vector>

#include <flotilla/store/database.hpp>

/// The statements on flotilla_jobs, as transaction bodies and plain functions; when they run is the JobRunner's
/// business.
namespace flotilla::jobs {

/// A job that has been taken for a try; both counters include it.
struct TakenJob {
    std::string id, kind, payload, traceparent;
    std::int64_t attempts, failures;
};

struct Taken {
    std::vector<TakenJob> jobs;
    std::optional<Timestamp> next_due; ///< of the jobs that still wait
};

/// Takes up to `count` due jobs of these kinds.
struct TakeDue {
    std::vector<std::string> kinds;
    std::int64_t count;
    Result<Taken> operator()(Transaction& transaction) const;
};

/// What was running when the process ended: back to the queue, or parked when that happened `failures_max` times.
/// Returns how many were running.
struct Recover {
    std::int64_t failures_max;
    Result<std::int64_t> operator()(Transaction& transaction) const;
};

/// The outcome of a try.
struct Finish {
    std::string id;
    std::string state; ///< queued, done, parked
    Timestamp due_at;
    std::int64_t attempts, failures;
    std::optional<Timestamp> finished_at;
    std::optional<std::string> last_error;
    Result<std::int64_t> operator()(Transaction& transaction) const;
};

/// Forgets finished jobs, at most kForgottenAtOnce. Returns how many.
inline constexpr std::int64_t kForgottenAtOnce = 1000;
struct Forget {
    Timestamp finished_before;
    Result<std::int64_t> operator()(Transaction& transaction) const;
};

struct StateCount {
    std::string state, kind;
    std::int64_t jobs;
};
/// Queued and parked jobs by kind.
task<Result<std::vector<StateCount>>> count(Context& context, Database& database);

} // namespace flotilla::jobs
