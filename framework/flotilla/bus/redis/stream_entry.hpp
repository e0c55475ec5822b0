#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/redis/resp.hpp>

namespace flotilla {

/// The stream of a partition: "flotilla:{order.created}:0". The braces keep what belongs to a topic on one node of a
/// Redis cluster.
std::string stream_name(std::string_view topic, std::uint32_t partition);

/// An entry's fields and values, CloudEvents 1.0 attributes and our extensions: specversion, id, source, type, time,
/// datacontenttype, traceparent, key, partition, sequence, data.
std::vector<std::string> entry_fields(const Message& message);

struct StreamEntry {
    std::string id; ///< "1700000000000-0"
    Message message;
};

/// Reads `[id, [field, value, ...]]`. Unknown fields are ignored and missing ones stay empty, so that an entry that
/// somebody else added reaches a consumer, which decides; without `id` and `time` it has those of the entry's own id.
/// nullopt for an entry that is no longer in the stream.
/// Errors: bad_gateway (not an entry).
Result<std::optional<StreamEntry>> parse_entry(const resp::Value& entry, std::string_view topic,
                                               std::uint32_t partition);

/// Reads an array of entries, leaving out those that are gone.
Result<std::vector<StreamEntry>> parse_entries(const resp::Value& entries, std::string_view topic,
                                               std::uint32_t partition);

/// Orders entry ids ("ms-n") by number.
struct EntryIdLess {
    bool operator()(std::string_view left, std::string_view right) const;
};

} // namespace flotilla
