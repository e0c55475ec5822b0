#include <flotilla/store/job_table.hpp>

#include <flotilla/store/jobs.hpp>

namespace flotilla {

Result<void> enqueue_job(Transaction& transaction, std::string_view kind, std::string payload_json,
                         EnqueueOptions options) {
    if (options.key.empty()) options.key = transaction.new_id();
    auto added = transaction.execute(
        "INSERT INTO flotilla_jobs (id, kind, key, payload, traceparent, state, attempts, "
        "failures, due_at, enqueued_at) "
        "VALUES ($1, $2, $3, $4, $5, 'queued', 0, 0, $6, $7) ON CONFLICT (kind, key) DO NOTHING",
        transaction.new_id(), kind, options.key, payload_json, transaction.trace().traceparent().view(),
        transaction.now() + options.delay, transaction.now());
    if (!added) return std::move(added.error());
    transaction.signal("jobs");
    return {};
}

} // namespace flotilla

namespace flotilla::jobs {
namespace {

/// "$first, $first+1, ..." and their values.
std::string placeholders(const std::vector<std::string>& kinds, std::size_t first, std::vector<SqlValue>& values) {
    std::string list;
    for (const auto& kind : kinds) {
        list += (list.empty() ? "$" : ", $") + std::to_string(first++);
        values.emplace_back(kind);
    }
    return list;
}

template <class T>
Result<std::vector<T>> select(Transaction& transaction, const std::string& sql, std::span<const SqlValue> values) {
    std::vector<T> rows;
    auto done = transaction.run(
        sql, values, [&rows](const SqlRow& row) { return decode_row(row, descriptor_of<T>, &rows.emplace_back()); });
    if (!done) return std::move(done.error());
    return rows;
}

} // namespace

Result<Taken> TakeDue::operator()(Transaction& transaction) const {
    if (kinds.empty()) return Taken{};
    std::vector<SqlValue> values{transaction.now(), count};
    auto due = select<TakenJob>(
        transaction,
        "SELECT id, kind, payload, traceparent, attempts + 1 AS attempts, failures + 1 AS failures FROM flotilla_jobs "
        "WHERE state = 'queued' AND due_at <= $1 AND kind IN (" +
            placeholders(kinds, 3, values) + ") ORDER BY due_at LIMIT $2",
        values);
    if (!due) return std::move(due.error());
    for (const auto& job : *due) {
        auto taken = transaction.execute(
            "UPDATE flotilla_jobs SET state = 'running', attempts = $2, failures = $3 WHERE id = $1", job.id,
            job.attempts, job.failures);
        if (!taken) return std::move(taken.error());
    }
    std::vector<SqlValue> kind_values;
    auto next =
        select<std::optional<Timestamp>>(transaction,
                                         "SELECT min(due_at) FROM flotilla_jobs WHERE state = 'queued' AND kind IN (" +
                                             placeholders(kinds, 1, kind_values) + ")",
                                         kind_values);
    if (!next) return std::move(next.error());
    return Taken{std::move(*due), next->front()};
}

Result<std::int64_t> Recover::operator()(Transaction& transaction) const {
    auto parked = transaction.execute("UPDATE flotilla_jobs SET state = 'parked', finished_at = $2, last_error = $3 "
                                      "WHERE state = 'running' AND failures >= $1",
                                      failures_max, transaction.now(), "the process ended during each try");
    if (!parked) return std::move(parked.error());
    auto queued = transaction.execute("UPDATE flotilla_jobs SET state = 'queued' WHERE state = 'running'");
    if (!queued) return std::move(queued.error());
    return *parked + *queued;
}

Result<std::int64_t> Finish::operator()(Transaction& transaction) const {
    return transaction.execute(
        "UPDATE flotilla_jobs SET state = $2, due_at = $3, attempts = $4, failures = $5, finished_at = $6, "
        "last_error = $7 WHERE id = $1",
        id, state, due_at, attempts, failures, finished_at, last_error);
}

Result<std::int64_t> Forget::operator()(Transaction& transaction) const {
    return transaction.execute(
        "DELETE FROM flotilla_jobs WHERE id IN (SELECT id FROM flotilla_jobs WHERE state = 'done' AND "
        "finished_at < $1 ORDER BY finished_at LIMIT $2)",
        finished_before, kForgottenAtOnce);
}

task<Result<std::vector<StateCount>>> count(Context& context, Database& database) {
    // One arm per state, so that each uses its partial index.
    return database.select<StateCount>(
        context,
        "SELECT 'queued' AS state, kind, count(*) AS jobs FROM flotilla_jobs WHERE state = 'queued' GROUP BY kind "
        "UNION ALL "
        "SELECT 'parked' AS state, kind, count(*) AS jobs FROM flotilla_jobs WHERE state = 'parked' GROUP BY kind");
}

} // namespace flotilla::jobs
