#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/contract/topic.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla {

struct EnqueueOptions {
    std::string key = {}; ///< a second job of the same kind and key is not added; empty: a fresh id
    Duration delay = {};  ///< not before
};

/// Adds a durable job in the transaction's own commit; it runs after the commit, at least once.
template <class Payload>
void enqueue(Transaction& transaction, const Job<Payload>& job, const Payload& payload, EnqueueOptions options = {}) {
    enqueue_job(transaction, job.name, json::write(payload), std::move(options));
}
void enqueue_job(Transaction& transaction, std::string_view kind, std::string payload_json, EnqueueOptions options);

/// A job that was given up, and why.
struct ParkedJob {
    std::string kind, key, reason;
    std::int64_t attempts = 0;
    Timestamp parked_at;
};
/// The parked jobs of a kind, those first that were parked first; at most `count`.
task<Result<std::vector<ParkedJob>>> parked_jobs(Context& context, Database& database, std::string kind,
                                                 std::int64_t count);
template <class Payload>
task<Result<std::vector<ParkedJob>>> parked_jobs(Context& context, Database& database, const Job<Payload>& job,
                                                 std::int64_t count) {
    return parked_jobs(context, database, std::string(job.name), count);
}

/// Puts a parked job back to the queue, with all its tries before it, in the transaction's own commit. False when it is
/// not parked.
bool redrive_job(Transaction& transaction, std::string_view kind, std::string_view key);
template <class Payload>
bool redrive_job(Transaction& transaction, const Job<Payload>& job, std::string_view key) {
    return redrive_job(transaction, job.name, key);
}

/// One try of a durable job, as its handler gets it. A value: transaction bodies capture it.
class JobTry {
public:
    JobTry(std::string id, std::string role, std::int64_t epoch)
        : id_(std::move(id)), role_(std::move(role)), epoch_(epoch) {}

    /// The same in each try: what an outside system may know the effect by.
    const std::string& id() const { return id_; }

    /// Notes in this transaction that the job is done: its effect and its outcome commit together, or neither does. The
    /// runner then notes nothing more, whatever the handler returns. Not for tries that may still fail afterwards.
    /// Errors, which end the transaction: unavailable `role_lost` when another host runs the job by now; conflict
    /// `job_done` when it was done before.
    void done(Transaction& transaction) const;

private:
    std::string id_;
    std::string role_;
    std::int64_t epoch_;
};

/// Runs due jobs of one database with bounded concurrency. A job that fails is tried again with doubling delay
/// (1 s .. 60 s, full jitter). unavailable and deadline_exceeded are retried for ever: the outside world is down;
/// anything else is parked after `attempts_max` tries, visible with its reason. Finished jobs are kept for a day so
/// that their keys still deduplicate; parked ones for ever, since somebody has to decide. What a job costs does not
/// depend on how many are kept: outcomes are noted and due jobs taken together, one commit for what has ended since the
/// last. It belongs to the holder of the database's role: what an earlier holder left running goes back to the queue,
/// and an outcome is noted once, by whoever holds the role then. Thread-safety: none; lives on one loop.
class JobRunner final : public RoleWork {
public:
    struct Options {
        std::size_t concurrency = 64;
        int attempts_max = 10;
        Duration job_timeout = std::chrono::seconds(30);
        Duration lag_max = std::chrono::seconds(60); ///< health() tells of a longer one
    };
    using Handler = std::function<task<Result<void>>(Context&, std::string_view payload_json, const JobTry&)>;
    using Handlers = std::map<std::string, Handler, std::less<>>; ///< by kind of job

    /// A kind without a handler stays queued and is reported by health().
    JobRunner(World& world, Tenure& tenure, Handlers handlers, Telemetry& telemetry, Options options);
    JobRunner(World& world, Tenure& tenure, Handlers handlers, Telemetry& telemetry)
        : JobRunner(world, tenure, std::move(handlers), telemetry, Options{}) {}
    ~JobRunner() override;
    /// Runs until the context is cancelled; jobs in flight finish or are given back.
    task<void> run(Context& context) override;

    struct Statistics {
        std::int64_t queued = 0, parked = 0;
        std::string last_error;     ///< of the latest failed try; empty after a success
        std::string database_error; ///< why the runner's own latest look at the database failed; empty after a good one
    };
    /// Counted at most once a second, and whenever there is nothing to do.
    const Statistics& statistics() const;
    /// ok, or what is wrong: the database cannot be read, waiting jobs have no handler, the latest try failed, jobs are
    /// parked, or a job has been due for longer than lag_max. One in the delay after a failure is not due. For /readyz.
    Result<void> health() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla
