#include <flotilla/bus/outbox_store.hpp>

#include <algorithm>
#include <limits>

namespace flotilla::outbox {
namespace {

constexpr std::int64_t kCountedOnTheLoop = 100;

constexpr std::string_view kCountWaiting =
    "SELECT count(*) AS rows, coalesce(max(position), 0) AS last,"
    " (SELECT occurred_at FROM flotilla_outbox WHERE sequence IS NULL ORDER BY position LIMIT 1) AS oldest"
    " FROM (SELECT position FROM flotilla_outbox WHERE sequence IS NULL AND position > $1 ORDER BY position LIMIT $2)"
    " AS arrived";

Result<void> mark_published(Transaction& transaction, const Accepted& accepted) {
    auto rows =
        transaction.execute("UPDATE flotilla_outbox SET published_at = $1"
                            " WHERE topic = $2 AND partition = $3 AND sequence >= $4 AND sequence <= $5"
                            " AND published_at IS NULL",
                            transaction.now(), accepted.topic, accepted.partition, accepted.first, accepted.last);
    if (!rows) return std::move(rows.error());
    auto cursor = transaction.execute("UPDATE flotilla_outbox_partitions SET published_sequence = $1"
                                      " WHERE topic = $2 AND partition = $3 AND published_sequence < $1",
                                      accepted.last, accepted.topic, accepted.partition);
    if (!cursor) return std::move(cursor.error());
    return {};
}

/// The next number of a partition, above what the bus holds: a database that was set back must not reuse numbers.
Result<std::uint64_t> next_sequence(Transaction& transaction, const PartitionKey& key, std::uint64_t bus_sequence) {
    auto next = transaction.find<std::uint64_t>("SELECT next_sequence FROM flotilla_outbox_partitions"
                                                " WHERE topic = $1 AND partition = $2",
                                                key.first, key.second);
    if (!next) return std::move(next.error());
    if (*next) return std::max(**next, bus_sequence + 1);
    auto inserted =
        transaction.execute("INSERT INTO flotilla_outbox_partitions"
                            " (topic, partition, next_sequence, published_sequence) VALUES ($1, $2, $3, $4)",
                            key.first, key.second, bus_sequence + 1, bus_sequence);
    if (!inserted) return std::move(inserted.error());
    return bus_sequence + 1;
}

Result<void> number_rows(Transaction& transaction, std::vector<Row>& rows, const KnownPartitions& known) {
    std::map<PartitionKey, std::uint64_t> next;
    for (Row& row : rows) {
        const PartitionKey key(row.topic, row.partition);
        auto [place, first] = next.try_emplace(key, 0);
        if (first) {
            auto start = next_sequence(transaction, key, known.at(key));
            if (!start) return std::move(start.error());
            place->second = *start;
        }
        row.sequence = place->second++;
        auto numbered = transaction.execute("UPDATE flotilla_outbox SET sequence = $1 WHERE position = $2",
                                            row.sequence, row.position);
        if (!numbered) return std::move(numbered.error());
    }
    for (const auto& [key, sequence] : next) {
        auto moved = transaction.execute("UPDATE flotilla_outbox_partitions SET next_sequence = $1"
                                         " WHERE topic = $2 AND partition = $3",
                                         sequence, key.first, key.second);
        if (!moved) return std::move(moved.error());
    }
    return {};
}

} // namespace

Result<Round> next_round(Transaction& transaction, const std::vector<Accepted>& accepted, const KnownPartitions& known,
                         std::size_t limit) {
    for (const Accepted& range : accepted) {
        if (auto marked = mark_published(transaction, range); !marked) return std::move(marked.error());
    }
    auto rows = transaction.select<Row>("SELECT position, event_id, topic, partition, key, 0 AS sequence, occurred_at,"
                                        " traceparent, payload FROM flotilla_outbox WHERE sequence IS NULL"
                                        " ORDER BY position LIMIT $1",
                                        limit);
    if (!rows) return std::move(rows.error());
    Round round{.all = rows->size() < limit};
    std::map<PartitionKey, bool> unknown;
    for (Row& row : *rows) {
        if (known.contains({row.topic, row.partition})) {
            round.rows.push_back(std::move(row));
            continue;
        }
        round.skipped.push_back(row.position);
        if (unknown.try_emplace({row.topic, row.partition}, true).second)
            round.unknown.push_back({row.topic, row.partition});
    }
    if (auto numbered = number_rows(transaction, round.rows, known); !numbered) return std::move(numbered.error());
    return round;
}

task<Result<std::vector<Partition>>> load_partitions(Context& context, Database& database) {
    co_return co_await database.select<Partition>(
        context, "SELECT topic, partition, next_sequence, published_sequence FROM flotilla_outbox_partitions");
}

task<Result<std::vector<Row>>> load_rows(Context& context, Database& database, PartitionKey partition,
                                         std::uint64_t from, std::uint64_t to, std::size_t limit) {
    co_return co_await database.select<Row>(
        context,
        "SELECT position, event_id, topic, partition, key, sequence, occurred_at,"
        " traceparent, payload FROM flotilla_outbox WHERE topic = $1 AND partition = $2"
        " AND sequence >= $3 AND sequence <= $4 ORDER BY sequence LIMIT $5",
        partition.first, partition.second, from, to, limit);
}

task<Result<Waiting>> count_waiting(Context& context, Database& database, std::int64_t behind) {
    const auto few = co_await must(database.find<Waiting>(context, kCountWaiting, behind, kCountedOnTheLoop));
    if (!few || few->rows < kCountedOnTheLoop) co_return few.value_or(Waiting());
    const auto all = co_await must(
        database.select<Waiting>(context, kCountWaiting, behind, std::numeric_limits<std::int64_t>::max()));
    co_return all.at(0);
}

void Backlog::counted(const Waiting& waiting) {
    if (!waiting.oldest) *this = {};
    if (waiting.rows == 0) return;
    waiting_ += waiting.rows;
    counted_to_ = waiting.last;
}

/// A round takes the lowest positions: what it has seen counts as counted.
void Backlog::numbered(const Round& round) {
    if (round.all) {
        waiting_ = std::ssize(round.skipped);
        counted_to_ = round.skipped.empty() ? 0 : round.skipped.back();
        return;
    }
    auto last = counted_to_;
    for (const auto& row : round.rows) {
        if (row.position <= counted_to_) --waiting_;
        last = std::max(last, row.position);
    }
    for (const auto position : round.skipped) {
        if (position > counted_to_) ++waiting_;
        last = std::max(last, position);
    }
    waiting_ = std::max<std::int64_t>(waiting_, 0);
    counted_to_ = last;
}

Result<std::int64_t> prune(Transaction& transaction, Timestamp before) {
    return transaction.execute(
        "DELETE FROM flotilla_outbox WHERE position IN (SELECT position FROM"
        " (SELECT position, published_at, occurred_at FROM flotilla_outbox ORDER BY position LIMIT $1)"
        " AS oldest WHERE published_at IS NOT NULL AND occurred_at < $2)",
        kPruneRows, before);
}

Message to_message(Row row, const std::string& producer) {
    return {.topic = std::move(row.topic),
            .partition = row.partition,
            .key = std::move(row.key),
            .sequence = row.sequence,
            .id = std::move(row.event_id),
            .producer = producer,
            .time = row.occurred_at,
            .traceparent = std::move(row.traceparent),
            .payload = std::move(row.payload)};
}

} // namespace flotilla::outbox
