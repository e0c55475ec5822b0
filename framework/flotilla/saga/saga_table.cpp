#include <flotilla/saga/saga_table.hpp>

#include <algorithm>

namespace flotilla::saga::table {
namespace {

using OptionalText = std::optional<std::string>;
using OptionalTime = std::optional<Timestamp>;

constexpr Statement<std::string_view, std::string_view, std::int64_t, std::string_view, Status, Direction,
                    std::string_view, std::vector<StepMark>, std::int64_t, Waits, bool, Timestamp, Timestamp,
                    OptionalTime, OptionalTime, OptionalTime, std::string_view>
    kInsert{"INSERT INTO flotilla_sagas (id, definition, definition_version, state, status, direction, step, steps, "
            "attempt, waits, uncertain, past_pivot, asked, started_at, progressed_at, due_at, deadline, stuck_at, "
            "in_hand, row_version, traceparent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 'NOTHING', "
            "$12, $13, $14, $15, $16, -coalesce((SELECT CASE WHEN holder = '' THEN epoch + 1 ELSE epoch END FROM "
            "flotilla_roles WHERE role = 'database'), 1), 1, $17) ON CONFLICT DO NOTHING"};
constexpr Statement<std::string_view, std::string_view, Direction, std::string_view, std::vector<StepMark>,
                    std::int64_t, Waits, bool, bool, Asked, OptionalText, OptionalText, Timestamp, OptionalTime,
                    OptionalTime, OptionalTime, std::int64_t, std::int64_t>
    kStore{"UPDATE flotilla_sagas SET state = $2, direction = $3, step = $4, steps = $5, attempt = $6, waits = $7, "
           "uncertain = $8, past_pivot = $9, asked = $10, asked_reason = $11, reason = $12, progressed_at = $13, "
           "due_at = $14, deadline = $15, stuck_at = $16, in_hand = $17, row_version = row_version + 1 "
           "WHERE id = $1 AND row_version = $18"};
// Apart, since it moves the row in the index of what is in which state.
constexpr Statement<std::string_view, Status, OptionalTime> kStoreStatus{
    "UPDATE flotilla_sagas SET status = $2, finished_at = $3 WHERE id = $1"};
constexpr Query<Instance, std::string_view> kLoad{
    "SELECT id, definition, definition_version, state, status, direction, step, steps, attempt, waits, uncertain, "
    "past_pivot, asked, asked_reason, reason, started_at, progressed_at, due_at, deadline, stuck_at, finished_at, "
    "in_hand, row_version, traceparent FROM flotilla_sagas WHERE id = $1"};
constexpr Query<Due, std::int64_t> kFirstDue{
    "SELECT id, due_at FROM flotilla_sagas WHERE due_at IS NOT NULL ORDER BY due_at, id LIMIT $1"};
constexpr Statement<std::int64_t, Timestamp> kRecover{
    "UPDATE flotilla_sagas SET due_at = $2, attempt = attempt + 1, uncertain = 1, in_hand = 0, "
    "row_version = row_version + 1 WHERE due_at IS NOT NULL AND in_hand > 0 AND in_hand < $1"};
constexpr Statement<std::int64_t, Timestamp> kRelease{
    "UPDATE flotilla_sagas SET due_at = $2, uncertain = 1, in_hand = 0, row_version = row_version + 1 "
    "WHERE due_at IS NOT NULL AND in_hand = $1"};

constexpr Statement<std::string_view, Timestamp, std::string_view, std::string_view, std::string_view> kNote{
    "INSERT INTO flotilla_saga_history (saga, number, at, event, step, detail) "
    "SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5 FROM flotilla_saga_history WHERE saga = $1"};
constexpr Query<HistoryEntry, std::string_view> kHistory{
    "SELECT number, at, event, step, detail FROM flotilla_saga_history WHERE saga = $1 ORDER BY number LIMIT 1000"};

constexpr Statement<std::string_view, std::int64_t, std::int64_t, std::int64_t> kChangeCounts{
    "INSERT INTO flotilla_saga_counts (definition, running, compensating, parked) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (definition) DO UPDATE SET running = flotilla_saga_counts.running + excluded.running, "
    "compensating = flotilla_saga_counts.compensating + excluded.compensating, "
    "parked = flotilla_saga_counts.parked + excluded.parked"};
constexpr Query<Counts> kCounts{"SELECT definition, running, compensating, parked FROM flotilla_saga_counts"};
constexpr Query<std::int64_t, std::string_view> kVersion{
    "SELECT coalesce(max(version), 0) FROM flotilla_migrations WHERE component = $1"};

constexpr Statement<std::string_view, std::string_view, bool, std::string_view, Timestamp> kKeepReply{
    "INSERT INTO flotilla_saga_replies (saga, step, undo, reply, received_at) VALUES ($1, $2, $3, $4, $5) "
    "ON CONFLICT (saga, step, undo) DO NOTHING"};
constexpr Statement<std::string_view, Timestamp> kWake{
    "UPDATE flotilla_sagas SET due_at = $2, row_version = row_version + 1 WHERE id = $1 AND due_at IS NOT NULL"};
constexpr Query<std::string, std::string_view, std::string_view, bool> kReply{
    "SELECT reply FROM flotilla_saga_replies WHERE saga = $1 AND step = $2 AND undo = $3"};
constexpr Statement<std::string_view, std::string_view, bool> kDropReply{
    "DELETE FROM flotilla_saga_replies WHERE saga = $1 AND step = $2 AND undo = $3"};

constexpr Statement<std::string_view, Asked, OptionalText, Timestamp> kAsk{
    "UPDATE flotilla_sagas SET asked = $2, asked_reason = $3, due_at = $4, row_version = row_version + 1 "
    "WHERE id = $1 AND status IN ('RUNNING', 'COMPENSATING', 'PARKED') "
    "AND ($2 <> 'ABORT' OR (direction = 'FORWARD' AND past_pivot = 0))"};
constexpr Query<std::string, Status, std::string_view, std::string_view, std::int64_t> kPageEnd{
    "SELECT coalesce(max(id), '') FROM (SELECT id FROM flotilla_sagas WHERE status = $1 AND definition = $2 "
    "AND id > $3 ORDER BY id LIMIT $4) AS page"};
constexpr Statement<Status, std::string_view, std::string_view, std::string_view, Asked, OptionalText, Timestamp>
    kAskAll{"UPDATE flotilla_sagas SET asked = $5, asked_reason = $6, due_at = $7, row_version = row_version + 1 "
            "WHERE status = $1 AND definition = $2 AND id > $3 AND id <= $4 "
            "AND ($5 <> 'ABORT' OR (direction = 'FORWARD' AND past_pivot = 0))"};

constexpr Query<Instance, Status, std::string_view, std::string_view, std::int64_t> kList{
    "SELECT id, definition, definition_version, state, status, direction, step, steps, attempt, waits, uncertain, "
    "past_pivot, asked, asked_reason, reason, started_at, progressed_at, due_at, deadline, stuck_at, finished_at, "
    "in_hand, row_version, traceparent FROM flotilla_sagas WHERE status = $1 AND definition = $2 AND id > $3 "
    "ORDER BY id LIMIT $4"};
constexpr Query<Instance, Timestamp, Timestamp, std::string_view, std::int64_t> kStuck{
    "SELECT id, definition, definition_version, state, status, direction, step, steps, attempt, waits, uncertain, "
    "past_pivot, asked, asked_reason, reason, started_at, progressed_at, due_at, deadline, stuck_at, finished_at, "
    "in_hand, row_version, traceparent FROM flotilla_sagas WHERE stuck_at <= $1 AND (stuck_at, id) > ($2, $3) "
    "ORDER BY stuck_at, id LIMIT $4"};
constexpr Query<std::int64_t, Timestamp, std::int64_t> kCountStuck{
    "SELECT count(*) FROM (SELECT 1 FROM flotilla_sagas WHERE stuck_at <= $1 LIMIT $2) AS some"};

constexpr Statement<Timestamp, std::int64_t> kForgetHistory{
    "DELETE FROM flotilla_saga_history WHERE saga IN (SELECT id FROM flotilla_sagas WHERE finished_at < $1 "
    "ORDER BY finished_at LIMIT $2)"};
constexpr Statement<Timestamp, std::int64_t> kForget{
    "DELETE FROM flotilla_sagas WHERE id IN (SELECT id FROM flotilla_sagas WHERE finished_at < $1 "
    "ORDER BY finished_at LIMIT $2)"};
constexpr Statement<Timestamp, std::int64_t> kForgetReplies{
    "DELETE FROM flotilla_saga_replies WHERE (saga, step, undo) IN (SELECT saga, step, undo FROM flotilla_saga_replies "
    "WHERE received_at < $1 ORDER BY received_at LIMIT $2)"};

void write(Transaction& transaction, std::string_view id, const std::vector<Note>& notes) {
    for (const auto& note : notes)
        transaction.execute(kNote, id, transaction.now(), note.event, note.step, note.detail);
}

void count(Transaction& transaction, const Instance& saga, Status status, std::int64_t change) {
    if (status == Status::completed || status == Status::compensated) return; // there may be any number of those
    transaction.execute(kChangeCounts, saga.definition, status == Status::running ? change : 0,
                        status == Status::compensating ? change : 0, status == Status::parked ? change : 0);
}

/// Whether the saga may still want a reply of that step.
bool is_awaited(const Instance& saga, const Reply& reply) {
    if (saga.finished_at) return false;
    const auto state = view_of(saga).state_of(reply.step);
    if (reply.undo) return saga.direction == Direction::undo && (state == StepState::done || state == StepState::sent);
    return saga.direction == Direction::forward && (state == StepState::none || state == StepState::sent);
}

} // namespace

bool insert(Transaction& transaction, const Instance& saga, const std::vector<Note>& notes) {
    const auto added = transaction.execute(kInsert, saga.id, saga.definition, saga.definition_version, saga.state,
                                           saga.status, saga.direction, saga.step, saga.steps, saga.attempt, saga.waits,
                                           saga.past_pivot, saga.started_at, saga.progressed_at, saga.due_at,
                                           saga.deadline, saga.stuck_at, saga.traceparent);
    if (added == 0) return false;
    write(transaction, saga.id, notes);
    count(transaction, saga, saga.status, 1);
    transaction.signal(kSignal);
    return true;
}

void store(Transaction& transaction, const Instance& before, const Instance& after, const std::vector<Note>& notes) {
    const auto stored = transaction.execute(kStore, after.id, after.state, after.direction, after.step, after.steps,
                                            after.attempt, after.waits, after.uncertain, after.past_pivot, after.asked,
                                            after.asked_reason, after.reason, after.progressed_at, after.due_at,
                                            after.deadline, after.stuck_at, after.in_hand, before.row_version);
    if (stored == 0)
        return transaction.fail(Error(Kind::conflict, std::string(kMoved), "the saga " + after.id + " has moved on"));
    if (after.status != before.status) {
        transaction.execute(kStoreStatus, after.id, after.status, after.finished_at);
        count(transaction, after, before.status, -1);
        count(transaction, after, after.status, 1);
    }
    write(transaction, after.id, notes);
    transaction.signal(settled(after.status) ? settled_signal(after.id) : changed_signal(after.id));
}

std::optional<Instance> load(Transaction& transaction, std::string_view id) { return transaction.find(kLoad, id); }

task<Result<std::optional<Instance>>> load(Context& context, Database& database, std::string id) {
    co_return co_await database.find(context, kLoad, id);
}

task<Result<std::vector<Due>>> first_due(Context& context, Database& database, std::int64_t count) {
    return database.select(context, kFirstDue, count);
}

std::int64_t Recover::operator()(Transaction& transaction) const {
    return transaction.execute(kRecover, epoch, transaction.now());
}

void Release::operator()(Transaction& transaction) const { transaction.execute(kRelease, epoch, transaction.now()); }

void keep_reply(Transaction& transaction, const Reply& reply) {
    const auto saga = load(transaction, reply.saga);
    if (saga && !is_awaited(*saga, reply)) {
        const auto what = std::string(reply.undo ? "to its compensation, " : "") + (reply.refused ? "refused" : "done");
        return write(transaction, reply.saga, {{"late reply", reply.step, what}});
    }
    transaction.execute(kKeepReply, reply.saga, reply.step, reply.undo, json::write(reply), transaction.now());
    if (!saga || saga->step != reply.step) return; // early
    transaction.execute(kWake, reply.saga, transaction.now());
    transaction.signal(kSignal);
}

std::optional<Reply> take_reply(Transaction& transaction, const Instance& saga) {
    const bool undo = saga.direction == Direction::undo;
    const auto kept = transaction.find(kReply, saga.id, saga.step, undo);
    if (!kept) return {};
    transaction.execute(kDropReply, saga.id, saga.step, undo);
    auto reply = json::parse<Reply>(*kept);
    if (!reply) {
        transaction.fail(std::move(reply.error()).with_context("a reply that was kept for " + saga.id));
        return {};
    }
    return std::move(*reply);
}

bool ask(Transaction& transaction, std::string_view id, const Ask& what) {
    if (transaction.execute(kAsk, id, what.asked, what.reason, transaction.now()) == 0) return false;
    transaction.signal(kSignal);
    return true;
}

Asking ask_all(Transaction& transaction, const Ask& what, Status status, std::string_view definition,
               std::string_view after, std::int64_t count) {
    Asking asking{.last = transaction.find(kPageEnd, status, definition, after, count).value_or("")};
    if (asking.last.empty()) return asking;
    asking.changed = transaction.execute(kAskAll, status, definition, after, asking.last, what.asked, what.reason,
                                         transaction.now());
    transaction.signal(kSignal);
    return asking;
}

task<Result<std::vector<Instance>>> list(Context& context, Database& database, Status status, std::string definition,
                                         std::string after, std::int64_t count) {
    co_return co_await database.select(context, kList, status, definition, after, count);
}

task<Result<std::vector<Instance>>> stuck(Context& context, Database& database, Timestamp now, Timestamp after,
                                          std::string after_id, std::int64_t count) {
    co_return co_await database.select(context, kStuck, now, after, after_id, count);
}

task<Result<std::int64_t>> count_stuck(Context& context, Database& database, Timestamp now, std::int64_t most) {
    const auto counted = co_await must(database.find(context, kCountStuck, now, most));
    co_return counted.value_or(0);
}

task<Result<std::vector<HistoryEntry>>> history(Context& context, Database& database, std::string id) {
    co_return co_await database.select(context, kHistory, id);
}

task<Result<std::vector<Counts>>> counts(Context& context, Database& database) {
    return database.select(context, kCounts);
}

task<Result<std::int64_t>> version(Context& context, Database& database) {
    const auto found = co_await must(database.find(context, kVersion, "saga"));
    co_return found.value_or(0);
}

std::int64_t Forget::operator()(Transaction& transaction) const {
    transaction.execute(kForgetReplies, before, count);
    transaction.execute(kForgetHistory, before, count);
    return transaction.execute(kForget, before, count);
}

} // namespace flotilla::saga::table
