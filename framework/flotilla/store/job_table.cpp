#include <flotilla/store/job_table.hpp>

#include <algorithm>

#include <flotilla/store/jobs.hpp>

namespace flotilla {
namespace jobs {
namespace {

/// How many more of a kind are queued, or parked.
struct Change {
    std::int64_t queued = 0, parked = 0;
};

Result<void> change_counts(Transaction& transaction, std::string_view kind, Change change) {
    auto counted = transaction.execute(
        "INSERT INTO flotilla_job_counts (kind, queued, parked) VALUES ($1, $2, $3) ON CONFLICT (kind) DO UPDATE SET "
        "queued = flotilla_job_counts.queued + excluded.queued, parked = flotilla_job_counts.parked + excluded.parked",
        kind, change.queued, change.parked);
    if (!counted) return std::move(counted.error());
    return {};
}

Result<void> change_counts(Transaction& transaction, const std::map<std::string, Change>& changes) {
    for (const auto& [kind, change] : changes) {
        if (change.queued == 0 && change.parked == 0) continue;
        if (auto counted = change_counts(transaction, kind, change); !counted) return counted;
    }
    return {};
}

/// The first of each kind, due or not, those first that are due first. One query per kind: an index can be walked in
/// the order of due_at only within a kind.
Result<std::vector<TakenJob>> first_waiting(Transaction& transaction, const std::vector<std::string>& kinds,
                                            std::int64_t count) {
    std::vector<TakenJob> waiting;
    for (const auto& kind : kinds) {
        auto first = transaction.select<TakenJob>(
            "SELECT id, kind, payload, traceparent, attempts + 1 AS attempts, failures + 1 AS failures, due_at "
            "FROM flotilla_jobs WHERE state = 'queued' AND kind = $1 ORDER BY due_at LIMIT $2",
            kind, count);
        if (!first) return std::move(first.error());
        std::ranges::move(*first, std::back_inserter(waiting));
    }
    std::ranges::sort(waiting, {}, [](const TakenJob& job) { return std::pair(job.due_at, std::string_view(job.id)); });
    return waiting;
}

Result<void> recount(Transaction& transaction) {
    auto cleared = transaction.execute("DELETE FROM flotilla_job_counts");
    if (!cleared) return std::move(cleared.error());
    auto queued =
        transaction.execute("INSERT INTO flotilla_job_counts (kind, queued, parked) "
                            "SELECT kind, count(*), 0 FROM flotilla_jobs WHERE state = 'queued' GROUP BY kind");
    if (!queued) return std::move(queued.error());
    auto parked =
        transaction.execute("INSERT INTO flotilla_job_counts (kind, queued, parked) "
                            "SELECT kind, 0, count(*) FROM flotilla_jobs WHERE state = 'parked' GROUP BY kind "
                            "ON CONFLICT (kind) DO UPDATE SET parked = excluded.parked");
    if (!parked) return std::move(parked.error());
    return {};
}

} // namespace

Result<Taken> TakeDue::operator()(Transaction& transaction) const {
    if (count <= 0) return Taken{};
    // One more than may be taken, so that what is due next is known.
    auto waiting = first_waiting(transaction, kinds, count + 1);
    if (!waiting) return std::move(waiting.error());
    const auto next = std::ranges::find_if(*waiting, [&, taken = std::int64_t{0}](const TakenJob& job) mutable {
        return job.due_at > transaction.now() || taken++ == count;
    });
    Taken taken;
    if (next != waiting->end()) taken.next_due = next->due_at;
    waiting->erase(next, waiting->end());
    taken.jobs = std::move(*waiting);
    std::map<std::string, Change> changes;
    for (const auto& job : taken.jobs) {
        auto updated = transaction.execute(
            "UPDATE flotilla_jobs SET state = 'running', attempts = $2, failures = $3, epoch = $4 WHERE id = $1",
            job.id, job.attempts, job.failures, epoch);
        if (!updated) return std::move(updated.error());
        --changes[job.kind].queued;
    }
    if (auto counted = change_counts(transaction, changes); !counted) return std::move(counted.error());
    return taken;
}

Result<std::int64_t> Recover::operator()(Transaction& transaction) const {
    auto parked = transaction.execute("UPDATE flotilla_jobs SET state = 'parked', finished_at = $2, last_error = $3 "
                                      "WHERE state = 'running' AND epoch < $4 AND failures >= $1",
                                      failures_max, transaction.now(), "the process ended during each try", epoch);
    if (!parked) return std::move(parked.error());
    auto queued =
        transaction.execute("UPDATE flotilla_jobs SET state = 'queued' WHERE state = 'running' AND epoch < $1", epoch);
    if (!queued) return std::move(queued.error());
    if (auto counted = recount(transaction); !counted) return std::move(counted.error());
    return *parked + *queued;
}

Result<void> finish(Transaction& transaction, const std::vector<Finish>& outcomes, std::int64_t epoch) {
    std::map<std::string, Change> changes;
    for (const auto& outcome : outcomes) {
        auto noted = transaction.execute("UPDATE flotilla_jobs SET state = $2, due_at = $3, attempts = $4, failures = "
                                         "$5, finished_at = $6, last_error = $7 "
                                         "WHERE id = $1 AND state = 'running' AND epoch = $8",
                                         outcome.id, outcome.state, outcome.due_at, outcome.attempts, outcome.failures,
                                         outcome.finished_at, outcome.last_error, epoch);
        if (!noted) return std::move(noted.error());
        if (*noted == 0) continue; // the job noted it itself
        if (outcome.state == "queued") ++changes[outcome.kind].queued;
        if (outcome.state == "parked") ++changes[outcome.kind].parked;
    }
    return change_counts(transaction, changes);
}

Result<bool> finish_done(Transaction& transaction, std::string_view id, std::int64_t epoch) {
    auto noted = transaction.execute("UPDATE flotilla_jobs SET state = 'done', finished_at = $2, last_error = NULL "
                                     "WHERE id = $1 AND state = 'running' AND epoch = $3",
                                     id, transaction.now(), epoch);
    if (!noted) return std::move(noted.error());
    return *noted > 0;
}

Result<std::int64_t> Forget::operator()(Transaction& transaction) const {
    return transaction.execute(
        "DELETE FROM flotilla_jobs WHERE id IN (SELECT id FROM flotilla_jobs WHERE state = 'done' AND "
        "finished_at < $1 ORDER BY finished_at LIMIT $2)",
        finished_before, count);
}

task<Result<std::vector<Backlog>>> load_backlog(Context& context, Database& database) {
    return database.select<Backlog>(
        context, "SELECT kind, queued, parked, "
                 "(SELECT min(due_at) FROM flotilla_jobs WHERE state = 'queued' AND kind = counts.kind) AS first_due, "
                 "(SELECT min(finished_at) FROM flotilla_jobs WHERE state = 'parked' AND kind = counts.kind) "
                 "AS parked_since FROM flotilla_job_counts AS counts");
}

task<Result<std::optional<Timestamp>>> oldest_retried(Context& context, Database& database) {
    return database.find<Timestamp>(context, "SELECT enqueued_at FROM flotilla_jobs WHERE state = 'queued' AND "
                                             "attempts > 0 ORDER BY enqueued_at LIMIT 1");
}

} // namespace jobs

void enqueue_job(Transaction& transaction, std::string_view kind, std::string payload_json, EnqueueOptions options) {
    if (options.key.empty()) options.key = transaction.new_id();
    auto added = transaction.execute(
        "INSERT INTO flotilla_jobs (id, kind, key, payload, traceparent, state, attempts, "
        "failures, due_at, enqueued_at) "
        "VALUES ($1, $2, $3, $4, $5, 'queued', 0, 0, $6, $7) ON CONFLICT (kind, key) DO NOTHING",
        transaction.new_id(), kind, options.key, payload_json, transaction.trace().traceparent().view(),
        transaction.now() + options.delay, transaction.now());
    if (!added || *added == 0) return; // it is there already
    if (jobs::change_counts(transaction, kind, {.queued = 1})) transaction.signal("jobs");
}

} // namespace flotilla
