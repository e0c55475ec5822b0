#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/store/database.hpp>

/// The statements on flotilla_jobs, as transaction bodies and plain functions; when they run is the JobRunner's
/// business. What they cost depends on how many jobs they touch, never on how many are kept.
namespace flotilla::jobs {

/// A job that has been taken for a try; both counters include it.
struct TakenJob {
    std::string id, kind, payload, traceparent;
    std::int64_t attempts, failures;
    Timestamp due_at;
};

struct Taken {
    std::vector<TakenJob> jobs;
    std::optional<Timestamp> next_due; ///< of the jobs that still wait
};

/// Takes up to `count` due jobs of these kinds, those first that are due first, for an epoch of the database's role.
struct TakeDue {
    std::vector<std::string> kinds;
    std::int64_t count;
    std::int64_t epoch;
    Taken operator()(Transaction& transaction) const;
};

/// What was taken in an epoch before this one and has no outcome: its holder has gone, and it goes back to the queue,
/// or is parked when that happened `failures_max` times. Counts what waits and what is parked anew. Returns how many
/// were running. For the start: it reads all that waits.
struct Recover {
    std::int64_t failures_max;
    std::int64_t epoch;
    std::int64_t operator()(Transaction& transaction) const;
};

/// The outcome of a try.
struct Finish {
    std::string id, kind;
    std::string state; ///< queued, done, parked
    Timestamp due_at;
    std::int64_t attempts, failures;
    std::optional<Timestamp> finished_at;
    std::optional<std::string> last_error;
};

/// Notes outcomes of jobs that were taken in that epoch, once: one that has its outcome keeps it.
void finish(Transaction& transaction, const std::vector<Finish>& outcomes, std::int64_t epoch);

/// Notes that a job that was taken in that epoch is done. False when it has its outcome already, or is another's now.
bool finish_done(Transaction& transaction, std::string_view id, std::int64_t epoch);

/// Forgets finished jobs, the oldest first, at most `count`. Returns how many.
struct Forget {
    Timestamp finished_before;
    std::int64_t count;
    std::int64_t operator()(Transaction& transaction) const;
};

/// The jobs of one kind that are not done.
struct Backlog {
    std::string kind;
    std::int64_t queued, parked;
    std::optional<Timestamp> first_due;    ///< of those queued, past or to come
    std::optional<Timestamp> parked_since; ///< the one that was parked first
};
/// By kind; a kind stays once it was used.
task<Result<std::vector<Backlog>>> load_backlog(Context& context, Database& database);
/// When the oldest job was enqueued that has failed and waits for another try.
task<Result<std::optional<Timestamp>>> oldest_retried(Context& context, Database& database);

} // namespace flotilla::jobs
