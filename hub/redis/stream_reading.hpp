#pragma once

#include "hub/redis/keyspace.hpp"
#include "hub/redis/reply.hpp"

namespace flotilla::hub {

/// Writes one entry: its id, and its fields and values.
void write_entry(Reply& reply, const RedisStream::Entry& entry);

/// Writes an array of the entries from..to, at most `count` (0: all). Returns how many.
std::size_t write_range(Reply& reply, const RedisStream& stream, EntryId from, EntryId to, std::size_t count,
                        bool backwards = false);

/// The consumer of that name, created if need be, marked as seen now.
Consumer& seen_consumer(Keyspace& keyspace, ConsumerGroup& group, std::string_view name, std::int64_t now_ms);

struct DeliveryRequest {
    EntryId from;
    std::size_t count = 0;       ///< 0: all
    bool no_acknowledge = false; ///< nothing becomes pending
    std::int64_t now_ms = 0;
};

/// Writes an array of new entries, moves the group's position and makes the entries pending for the consumer.
void deliver(Keyspace& keyspace, RedisStream& stream, ConsumerGroup& group, Consumer& consumer,
             const DeliveryRequest& request, Reply& reply);

/// Writes an array of what is pending for the consumer from an id on; deliveries are counted. Entries that are no
/// longer in the stream come with a null array.
void deliver_history(Keyspace& keyspace, RedisStream& stream, ConsumerGroup& group, Consumer& consumer,
                     const DeliveryRequest& request, Reply& reply);

} // namespace flotilla::hub
