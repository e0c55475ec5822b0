#include <flotilla/store/job_table.hpp>

#include <algorithm>

#include <flotilla/store/jobs.hpp>

namespace flotilla {
namespace jobs {
namespace {

constexpr Query<TakenJob, std::string_view, std::int64_t> kFirstOfKind{
    "SELECT id, kind, payload, traceparent, attempts + 1 AS attempts, failures + 1 AS failures, due_at "
    "FROM flotilla_jobs WHERE state = 'queued' AND kind = $1 ORDER BY due_at LIMIT $2"};
constexpr Statement<std::string_view, std::int64_t, std::int64_t, std::int64_t> kTake{
    "UPDATE flotilla_jobs SET state = 'running', attempts = $2, failures = $3, epoch = $4 WHERE id = $1"};
constexpr Statement<std::int64_t, Timestamp, std::string_view, std::int64_t> kParkLeft{
    "UPDATE flotilla_jobs SET state = 'parked', finished_at = $2, last_error = $3 "
    "WHERE state = 'running' AND epoch < $4 AND failures >= $1"};
constexpr Statement<std::int64_t> kRequeueLeft{
    "UPDATE flotilla_jobs SET state = 'queued' WHERE state = 'running' AND epoch < $1"};
constexpr Statement<std::string_view, std::string_view, Timestamp, std::int64_t, std::int64_t, std::optional<Timestamp>,
                    std::optional<std::string>, std::int64_t>
    kNote{"UPDATE flotilla_jobs SET state = $2, due_at = $3, attempts = $4, failures = $5, finished_at = $6, "
          "last_error = $7 WHERE id = $1 AND state = 'running' AND epoch = $8"};
constexpr Statement<std::string_view, Timestamp, std::int64_t> kNoteDone{
    "UPDATE flotilla_jobs SET state = 'done', finished_at = $2, last_error = NULL "
    "WHERE id = $1 AND state = 'running' AND epoch = $3"};
constexpr Statement<Timestamp, std::int64_t> kForget{
    "DELETE FROM flotilla_jobs WHERE id IN (SELECT id FROM flotilla_jobs WHERE state = 'done' AND "
    "finished_at < $1 ORDER BY finished_at LIMIT $2)"};
constexpr Statement<std::string_view, std::string_view, std::string_view, std::string_view, std::string_view, Timestamp,
                    Timestamp>
    kEnqueue{"INSERT INTO flotilla_jobs (id, kind, key, payload, traceparent, state, attempts, failures, due_at, "
             "enqueued_at) VALUES ($1, $2, $3, $4, $5, 'queued', 0, 0, $6, $7) ON CONFLICT (kind, key) DO NOTHING"};

constexpr Query<ParkedJob, std::string, std::int64_t> kParkedOfKind{
    "SELECT kind, key, coalesce(last_error, '') AS reason, attempts, finished_at AS parked_at FROM flotilla_jobs "
    "WHERE state = 'parked' AND kind = $1 ORDER BY finished_at LIMIT $2"};
constexpr Statement<std::string_view, std::string_view, Timestamp> kRedrive{
    "UPDATE flotilla_jobs SET failures = 0, state = 'queued', due_at = $3, finished_at = NULL "
    "WHERE kind = $1 AND key = $2 AND state = 'parked'"};

constexpr Statement<std::string_view, std::int64_t, std::int64_t> kChangeCounts{
    "INSERT INTO flotilla_job_counts (kind, queued, parked) VALUES ($1, $2, $3) ON CONFLICT (kind) DO UPDATE SET "
    "queued = flotilla_job_counts.queued + excluded.queued, parked = flotilla_job_counts.parked + excluded.parked"};
constexpr Statement<> kClearCounts{"DELETE FROM flotilla_job_counts"};
constexpr Statement<> kCountQueued{"INSERT INTO flotilla_job_counts (kind, queued, parked) "
                                   "SELECT kind, count(*), 0 FROM flotilla_jobs WHERE state = 'queued' GROUP BY kind"};
constexpr Statement<> kCountParked{"INSERT INTO flotilla_job_counts (kind, queued, parked) "
                                   "SELECT kind, 0, count(*) FROM flotilla_jobs WHERE state = 'parked' GROUP BY kind "
                                   "ON CONFLICT (kind) DO UPDATE SET parked = excluded.parked"};

constexpr Query<Backlog> kBacklog{
    "SELECT kind, queued, parked, "
    "(SELECT min(due_at) FROM flotilla_jobs WHERE state = 'queued' AND kind = counts.kind) AS first_due, "
    "(SELECT min(finished_at) FROM flotilla_jobs WHERE state = 'parked' AND kind = counts.kind) "
    "AS parked_since FROM flotilla_job_counts AS counts"};
constexpr Query<Timestamp> kOldestRetried{
    "SELECT enqueued_at FROM flotilla_jobs WHERE state = 'queued' AND attempts > 0 ORDER BY enqueued_at LIMIT 1"};

/// How many more of a kind are queued, or parked.
struct Change {
    std::int64_t queued = 0, parked = 0;
};

void change_counts(Transaction& transaction, const std::map<std::string, Change>& changes) {
    for (const auto& [kind, change] : changes) {
        if (change.queued == 0 && change.parked == 0) continue;
        transaction.execute(kChangeCounts, kind, change.queued, change.parked);
    }
}

/// The first of each kind, due or not, those first that are due first. One query per kind: an index can be walked in
/// the order of due_at only within a kind.
std::vector<TakenJob> first_waiting(Transaction& transaction, const std::vector<std::string>& kinds,
                                    std::int64_t count) {
    std::vector<TakenJob> waiting;
    for (const auto& kind : kinds)
        std::ranges::move(transaction.select(kFirstOfKind, kind, count), std::back_inserter(waiting));
    std::ranges::sort(waiting, {}, [](const TakenJob& job) { return std::pair(job.due_at, std::string_view(job.id)); });
    return waiting;
}

void recount(Transaction& transaction) {
    transaction.execute(kClearCounts);
    transaction.execute(kCountQueued);
    transaction.execute(kCountParked);
}

} // namespace

Taken TakeDue::operator()(Transaction& transaction) const {
    if (count <= 0) return {};
    // One more than may be taken, so that what is due next is known.
    auto waiting = first_waiting(transaction, kinds, count + 1);
    const auto next = std::ranges::find_if(waiting, [&, taken = std::int64_t{0}](const TakenJob& job) mutable {
        return job.due_at > transaction.now() || taken++ == count;
    });
    Taken taken;
    if (next != waiting.end()) taken.next_due = next->due_at;
    waiting.erase(next, waiting.end());
    taken.jobs = std::move(waiting);
    std::map<std::string, Change> changes;
    for (const auto& job : taken.jobs) {
        transaction.execute(kTake, job.id, job.attempts, job.failures, epoch);
        --changes[job.kind].queued;
    }
    change_counts(transaction, changes);
    return taken;
}

std::int64_t Recover::operator()(Transaction& transaction) const {
    const auto parked =
        transaction.execute(kParkLeft, failures_max, transaction.now(), "the process ended during each try", epoch);
    const auto queued = transaction.execute(kRequeueLeft, epoch);
    recount(transaction);
    return parked + queued;
}

void finish(Transaction& transaction, const std::vector<Finish>& outcomes, std::int64_t epoch) {
    std::map<std::string, Change> changes;
    for (const auto& outcome : outcomes) {
        const auto noted = transaction.execute(kNote, outcome.id, outcome.state, outcome.due_at, outcome.attempts,
                                               outcome.failures, outcome.finished_at, outcome.last_error, epoch);
        if (noted == 0) continue; // the job noted it itself
        if (outcome.state == "queued") ++changes[outcome.kind].queued;
        if (outcome.state == "parked") ++changes[outcome.kind].parked;
    }
    change_counts(transaction, changes);
}

bool finish_done(Transaction& transaction, std::string_view id, std::int64_t epoch) {
    return transaction.execute(kNoteDone, id, transaction.now(), epoch) > 0;
}

std::int64_t Forget::operator()(Transaction& transaction) const {
    return transaction.execute(kForget, finished_before, count);
}

task<Result<std::vector<Backlog>>> load_backlog(Context& context, Database& database) {
    return database.select(context, kBacklog);
}

task<Result<std::optional<Timestamp>>> oldest_retried(Context& context, Database& database) {
    return database.find(context, kOldestRetried);
}

} // namespace jobs

void enqueue_job(Transaction& transaction, std::string_view kind, std::string payload_json, EnqueueOptions options) {
    if (options.key.empty()) options.key = transaction.new_id();
    const auto added = transaction.execute(jobs::kEnqueue, transaction.new_id(), kind, options.key, payload_json,
                                           transaction.trace().traceparent().view(), transaction.now() + options.delay,
                                           transaction.now());
    if (added == 0) return; // it is there already
    transaction.execute(jobs::kChangeCounts, kind, 1, 0);
    transaction.signal("jobs");
}

task<Result<std::vector<ParkedJob>>> parked_jobs(Context& context, Database& database, std::string kind,
                                                 std::int64_t count) {
    return database.select(context, jobs::kParkedOfKind, std::move(kind), count);
}

bool redrive_job(Transaction& transaction, std::string_view kind, std::string_view key) {
    if (transaction.execute(jobs::kRedrive, kind, key, transaction.now()) == 0) return false;
    transaction.execute(jobs::kChangeCounts, kind, 1, -1);
    transaction.signal("jobs");
    return true;
}

} // namespace flotilla
