#include "hub/redis/stream_reading.hpp"

namespace flotilla::hub {

void write_entry(Reply& reply, const RedisStream::Entry& entry) {
    reply.array(2);
    reply.id(entry.id);
    reply.raw(entry.body);
}

std::size_t write_range(Reply& reply, const RedisStream& stream, EntryId from, EntryId to, std::size_t count,
                        bool backwards) {
    const std::size_t place = reply.place();
    std::size_t written = 0;
    const auto write = [&](const RedisStream::Entry& entry) {
        write_entry(reply, entry);
        return ++written != count;
    };
    if (backwards) {
        stream.visit_backwards(from, to, write);
    } else {
        stream.visit(from, to, write);
    }
    reply.array_at(place, written);
    return written;
}

Consumer& seen_consumer(Keyspace& keyspace, ConsumerGroup& group, std::string_view name, std::int64_t now_ms) {
    Consumer* consumer = group.find(name);
    if (!consumer) return keyspace.create_consumer(group, name, now_ms);
    consumer->seen_ms = now_ms;
    return *consumer;
}

void deliver(Keyspace& keyspace, RedisStream& stream, ConsumerGroup& group, Consumer& consumer,
             const DeliveryRequest& request, Reply& reply) {
    const std::size_t place = reply.place();
    std::size_t written = 0;
    stream.visit(request.from, EntryId::max(), [&](const RedisStream::Entry& entry) {
        if (entry.id > group.last_id) {
            if (group.entries_read != ConsumerGroup::kUnknown && !stream.has_gaps_after(entry.id)) {
                ++group.entries_read;
            } else if (stream.entries_added > 0) {
                group.entries_read = stream.position_of(entry.id);
            }
            group.last_id = entry.id;
            keyspace.touch(stream, group);
        }
        write_entry(reply, entry);
        if (!request.no_acknowledge) keyspace.set_pending(group, entry.id, consumer, request.now_ms, 1);
        return ++written != request.count;
    });
    reply.array_at(place, written);
}

void deliver_history(Keyspace& keyspace, RedisStream& stream, ConsumerGroup& group, Consumer& consumer,
                     const DeliveryRequest& request, Reply& reply) {
    const std::size_t place = reply.place();
    std::size_t written = 0;
    for (auto at = consumer.pending.lower_bound(request.from); at != consumer.pending.end(); ++at) {
        if (request.count > 0 && written == request.count) break;
        if (const auto body = stream.find(*at)) {
            write_entry(reply, {*at, *body});
            const PendingEntry& pending = group.pending.at(*at);
            keyspace.set_pending(group, *at, consumer, request.now_ms, pending.deliveries + 1);
        } else {
            reply.array(2);
            reply.id(*at);
            reply.null_array();
        }
        ++written;
    }
    reply.array_at(place, written);
}

} // namespace flotilla::hub
