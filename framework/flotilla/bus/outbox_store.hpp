#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
    std::vector<Row> rows;          ///< newly numbered, in order
    std::vector<Partition> unknown; ///< partitions with waiting rows that are not known yet
};

/// What waits unnumbered.
struct Backlog {
    std::int64_t waiting = 0;
    Timestamp oldest;
};

/// Marks what was accepted as published, then numbers the next rows of known partitions, at most `limit`.
Result<Round> next_round(Transaction& transaction, const std::vector<Accepted>& accepted, const KnownPartitions& known,
                         std::size_t limit);

task<Result<std::vector<Partition>>> load_partitions(Context& context, Database& database);

/// Numbered rows from..to of a partition, in order, at most `limit`.
task<Result<std::vector<Row>>> load_rows(Context& context, Database& database, PartitionKey partition,
                                         std::uint64_t from, std::uint64_t to, std::size_t limit);

task<Result<Backlog>> load_backlog(Context& context, Database& database);

/// Removes published rows that happened before `before`, the oldest first, at most kPruneRows. Returns how many.
inline constexpr std::int64_t kPruneRows = 1000;
Result<std::int64_t> prune(Transaction& transaction, Timestamp before);

Message to_message(Row row, const std::string& producer);

} // namespace flotilla::outbox
