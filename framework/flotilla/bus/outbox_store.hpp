#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <flotilla/base/time.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/store/database.hpp>

/// The outbox's rows; see store/framework_tables.cpp for the tables.
namespace flotilla::outbox {

/// An event waiting, or kept after it was published.
struct Row {
    std::int64_t position = 0;
    std::string event_id;
    std::string topic;
    std::uint32_t partition = 0;
    std::string key;
    std::uint64_t sequence = 0;
    Timestamp occurred_at;
    std::string traceparent;
    std::string payload;
};

/// How far a partition is numbered and published.
struct Partition {
    std::string topic;
    std::uint32_t partition = 0;
    std::uint64_t next_sequence = 1;
    std::uint64_t published_sequence = 0;
};

using PartitionKey = std::pair<std::string, std::uint32_t>;

/// Partitions that may be numbered, each with the highest sequence the bus holds of it: numbering goes on above.
using KnownPartitions = std::map<PartitionKey, std::uint64_t>;

/// Sequences of one partition that the bus has accepted.
struct Accepted {
    std::string topic;
    std::uint32_t partition = 0;
    std::uint64_t first = 0, last = 0;
};

/// What one transaction of the relay yields.
struct Round {
    std::vector<Row> rows;             ///< newly numbered, in order
    std::vector<Partition> unknown;    ///< partitions with waiting rows that are not known yet
    std::vector<std::int64_t> skipped; ///< positions of the rows of those, which wait on
    bool all = false;                  ///< nothing else waits
};

/// Rows that wait unnumbered.
struct Waiting {
    std::int64_t rows = 0;           ///< those that were counted
    std::int64_t last = 0;           ///< the position of the last of them
    std::optional<Timestamp> oldest; ///< of all that wait; absent: none does
};

/// How many rows wait unnumbered, without counting one twice: what it costs does not depend on how many wait, and no
/// position needs to follow another without a hole. A row that is committed behind one with a higher position (engines
/// that run transactions at once) is left out until a round has seen all that waits. Thread-safety: none.
class Backlog {
public:
    void counted(const Waiting& waiting);
    void numbered(const Round& round);
    std::int64_t waiting() const { return waiting_; }
    std::int64_t counted_to() const { return counted_to_; }

private:
    std::int64_t waiting_ = 0;
    std::int64_t counted_to_ = 0; // rows that wait up to this position are counted
};

/// Marks what was accepted as published, then numbers the next rows of known partitions, at most `limit`.
Round next_round(Transaction& transaction, const std::vector<Accepted>& accepted, const KnownPartitions& known,
                 std::size_t limit);

task<Result<std::vector<Partition>>> load_partitions(Context& context, Database& database);

/// Numbered rows from..to of a partition, in order, at most `limit`.
task<Result<std::vector<Row>>> load_rows(Context& context, Database& database, PartitionKey partition,
                                         std::uint64_t from, std::uint64_t to, std::size_t limit);

/// Counts the rows that wait behind a position. A few are counted on the loop, more of them away from it.
task<Result<Waiting>> count_waiting(Context& context, Database& database, std::int64_t behind);

/// Removes published rows that happened before `before`, the oldest first, at most kPruneRows. Returns how many.
inline constexpr std::int64_t kPruneRows = 1000;
std::int64_t prune(Transaction& transaction, Timestamp before);

Message to_message(Row row, const std::string& producer);

} // namespace flotilla::outbox
