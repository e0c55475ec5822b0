#include <flotilla/bus/outbox_store.hpp>

#include <algorithm>
#include <limits>

namespace flotilla::outbox {
namespace {

constexpr std::int64_t kCountedOnTheLoop = 100;

constexpr Query<Row, std::size_t> kUnnumbered{
    "SELECT position, event_id, topic, partition, key, 0 AS sequence, occurred_at, traceparent, payload "
    "FROM flotilla_outbox WHERE sequence IS NULL ORDER BY position LIMIT $1"};
constexpr Query<Row, std::string_view, std::uint32_t, std::uint64_t, std::uint64_t, std::size_t> kNumbered{
    "SELECT position, event_id, topic, partition, key, sequence, occurred_at, traceparent, payload "
    "FROM flotilla_outbox WHERE topic = $1 AND partition = $2 AND sequence >= $3 AND sequence <= $4 "
    "ORDER BY sequence LIMIT $5"};
constexpr Query<Waiting, std::int64_t, std::int64_t> kCountWaiting{
    "SELECT count(*) AS rows, coalesce(max(position), 0) AS last, "
    "(SELECT occurred_at FROM flotilla_outbox WHERE sequence IS NULL ORDER BY position LIMIT 1) AS oldest "
    "FROM (SELECT position FROM flotilla_outbox WHERE sequence IS NULL AND position > $1 ORDER BY position LIMIT $2) "
    "AS arrived"};
constexpr Statement<std::uint64_t, std::int64_t> kNumber{
    "UPDATE flotilla_outbox SET sequence = $1 WHERE position = $2"};
constexpr Statement<Timestamp, std::string_view, std::uint32_t, std::uint64_t, std::uint64_t> kMarkPublished{
    "UPDATE flotilla_outbox SET published_at = $1 "
    "WHERE topic = $2 AND partition = $3 AND sequence >= $4 AND sequence <= $5 AND published_at IS NULL"};
constexpr Statement<std::int64_t, Timestamp> kPrune{
    "DELETE FROM flotilla_outbox WHERE position IN (SELECT position FROM "
    "(SELECT position, published_at, occurred_at FROM flotilla_outbox ORDER BY position LIMIT $1) "
    "AS oldest WHERE published_at IS NOT NULL AND occurred_at < $2)"};

constexpr Query<Partition> kPartitions{
    "SELECT topic, partition, next_sequence, published_sequence FROM flotilla_outbox_partitions"};
constexpr Query<std::uint64_t, std::string_view, std::uint32_t> kNextSequence{
    "SELECT next_sequence FROM flotilla_outbox_partitions WHERE topic = $1 AND partition = $2"};
constexpr Statement<std::string_view, std::uint32_t, std::uint64_t, std::uint64_t> kAddPartition{
    "INSERT INTO flotilla_outbox_partitions (topic, partition, next_sequence, published_sequence) "
    "VALUES ($1, $2, $3, $4)"};
constexpr Statement<std::uint64_t, std::string_view, std::uint32_t> kMoveNext{
    "UPDATE flotilla_outbox_partitions SET next_sequence = $1 WHERE topic = $2 AND partition = $3"};
constexpr Statement<std::uint64_t, std::string_view, std::uint32_t> kMovePublished{
    "UPDATE flotilla_outbox_partitions SET published_sequence = $1 "
    "WHERE topic = $2 AND partition = $3 AND published_sequence < $1"};

void mark_published(Transaction& transaction, const Accepted& accepted) {
    transaction.execute(kMarkPublished, transaction.now(), accepted.topic, accepted.partition, accepted.first,
                        accepted.last);
    transaction.execute(kMovePublished, accepted.last, accepted.topic, accepted.partition);
}

/// The next number of a partition, above what the bus holds: a database that was set back must not reuse numbers.
std::uint64_t next_sequence(Transaction& transaction, const PartitionKey& key, std::uint64_t bus_sequence) {
    const auto next = transaction.find(kNextSequence, key.first, key.second);
    if (next) return std::max(*next, bus_sequence + 1);
    transaction.execute(kAddPartition, key.first, key.second, bus_sequence + 1, bus_sequence);
    return bus_sequence + 1;
}

void number_rows(Transaction& transaction, std::vector<Row>& rows, const KnownPartitions& known) {
    std::map<PartitionKey, std::uint64_t> next;
    for (Row& row : rows) {
        const PartitionKey key(row.topic, row.partition);
        auto [place, first] = next.try_emplace(key, 0);
        if (first) place->second = next_sequence(transaction, key, known.at(key));
        row.sequence = place->second++;
        transaction.execute(kNumber, row.sequence, row.position);
    }
    for (const auto& [key, sequence] : next)
        transaction.execute(kMoveNext, sequence, key.first, key.second);
}

} // namespace

Round next_round(Transaction& transaction, const std::vector<Accepted>& accepted, const KnownPartitions& known,
                 std::size_t limit) {
    for (const Accepted& range : accepted)
        mark_published(transaction, range);
    auto rows = transaction.select(kUnnumbered, limit);
    Round round{.all = rows.size() < limit};
    std::map<PartitionKey, bool> unknown;
    for (Row& row : rows) {
        if (known.contains({row.topic, row.partition})) {
            round.rows.push_back(std::move(row));
            continue;
        }
        round.skipped.push_back(row.position);
        if (unknown.try_emplace({row.topic, row.partition}, true).second)
            round.unknown.push_back({row.topic, row.partition});
    }
    number_rows(transaction, round.rows, known);
    return round;
}

task<Result<std::vector<Partition>>> load_partitions(Context& context, Database& database) {
    return database.select(context, kPartitions);
}

task<Result<std::vector<Row>>> load_rows(Context& context, Database& database, PartitionKey partition,
                                         std::uint64_t from, std::uint64_t to, std::size_t limit) {
    return database.select(context, kNumbered, partition.first, partition.second, from, to, limit);
}

task<Result<Waiting>> count_waiting(Context& context, Database& database, std::int64_t behind) {
    const auto few = co_await must(database.find(context, kCountWaiting, behind, kCountedOnTheLoop));
    if (!few || few->rows < kCountedOnTheLoop) co_return few.value_or(Waiting());
    const auto all =
        co_await must(database.select(context, kCountWaiting, behind, std::numeric_limits<std::int64_t>::max()));
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

std::int64_t prune(Transaction& transaction, Timestamp before) {
    return transaction.execute(kPrune, kPruneRows, before);
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
