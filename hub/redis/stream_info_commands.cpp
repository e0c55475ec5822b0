#include "hub/redis/commands.hpp"
#include "hub/redis/stream_reading.hpp"

namespace flotilla::hub::commands {

namespace {

constexpr std::size_t kFullCount = 10; // entries shown by FULL without COUNT

void field(Call& call, std::string_view name, std::size_t value) {
    call.reply.bulk(name);
    call.reply.integer(static_cast<std::int64_t>(value));
}

void field(Call& call, std::string_view name, EntryId id) {
    call.reply.bulk(name);
    call.reply.id(id);
}

void optional_field(Call& call, std::string_view name, std::optional<std::int64_t> value) {
    call.reply.bulk(name);
    if (value) return call.reply.integer(*value);
    call.reply.null();
}

std::optional<std::int64_t> known(std::int64_t entries_read) {
    if (entries_read == ConsumerGroup::kUnknown) return std::nullopt;
    return entries_read;
}

void edge(Call& call, std::string_view name, const RedisStream& stream, bool last) {
    call.reply.bulk(name);
    bool found = false;
    const auto write = [&](const RedisStream::Entry& entry) {
        write_entry(call.reply, entry);
        found = true;
        return false;
    };
    if (last) {
        stream.visit_backwards(EntryId{}, EntryId::max(), write);
    } else {
        stream.visit(EntryId{}, EntryId::max(), write);
    }
    if (!found) call.reply.null();
}

/// `radix-tree-nodes` has no meaning here: our blocks hang in a list. Redis shows at least one more than the keys.
void write_numbers(Call& call, const RedisStream& stream) {
    field(call, "length", stream.length());
    field(call, "radix-tree-keys", stream.blocks());
    field(call, "radix-tree-nodes", stream.blocks() + 1);
    field(call, "last-generated-id", stream.last_id);
    field(call, "max-deleted-entry-id", stream.max_deleted_id);
    field(call, "entries-added", static_cast<std::size_t>(stream.entries_added));
    field(call, "recorded-first-entry-id", stream.first_id());
}

void write_full_consumer(Call& call, const ConsumerGroup& group, const Consumer& consumer, std::size_t count) {
    call.reply.map(4);
    call.reply.bulk("name");
    call.reply.bulk(consumer.name);
    field(call, "seen-time", static_cast<std::size_t>(consumer.seen_ms));
    field(call, "pel-count", consumer.pending.size());
    call.reply.bulk("pending");
    const std::size_t shown = count ? std::min(count, consumer.pending.size()) : consumer.pending.size();
    call.reply.array(shown);
    auto at = consumer.pending.begin();
    for (std::size_t i = 0; i < shown; ++i, ++at) {
        const PendingEntry& entry = group.pending.at(*at);
        call.reply.array(3);
        call.reply.id(*at);
        call.reply.integer(entry.delivered_ms);
        call.reply.integer(entry.deliveries);
    }
}

void write_full_group(Call& call, const RedisStream& stream, const ConsumerGroup& group, std::size_t count) {
    call.reply.map(7);
    call.reply.bulk("name");
    call.reply.bulk(group.name);
    field(call, "last-delivered-id", group.last_id);
    optional_field(call, "entries-read", known(group.entries_read));
    optional_field(call, "lag", stream.lag(group));
    field(call, "pel-count", group.pending.size());
    call.reply.bulk("pending");
    const std::size_t shown = count ? std::min(count, group.pending.size()) : group.pending.size();
    call.reply.array(shown);
    auto at = group.pending.begin();
    for (std::size_t i = 0; i < shown; ++i, ++at) {
        call.reply.array(4);
        call.reply.id(at->first);
        call.reply.bulk(at->second.consumer->name);
        call.reply.integer(at->second.delivered_ms);
        call.reply.integer(at->second.deliveries);
    }
    call.reply.bulk("consumers");
    call.reply.array(group.consumers.size());
    for (const auto& [name, consumer] : group.consumers)
        write_full_consumer(call, group, *consumer, count);
}

void write_full(Call& call, const RedisStream& stream, std::size_t count) {
    call.reply.map(9);
    write_numbers(call, stream);
    call.reply.bulk("entries");
    write_range(call.reply, stream, EntryId{}, EntryId::max(), count);
    call.reply.bulk("groups");
    call.reply.array(stream.groups.size());
    for (const auto& [name, group] : stream.groups)
        write_full_group(call, stream, *group, count);
}

/// The stream of an XINFO command; null and an error when there is none.
RedisStream* existing_stream(Call& call) {
    if (!call.keyspace().find(call[2])) {
        call.reply.error("ERR no such key");
        return nullptr;
    }
    return call.stream(call[2]).value_or(nullptr);
}

} // namespace

void xinfo_stream(Call& call) {
    const RedisStream* stream = existing_stream(call);
    if (!stream) return;
    if (call.size() == 3) {
        call.reply.map(10);
        write_numbers(call, *stream);
        field(call, "groups", stream->groups.size());
        edge(call, "first-entry", *stream, false);
        edge(call, "last-entry", *stream, true);
        return;
    }
    const bool options =
        (call.size() == 4 || call.size() == 6) && call.is(3, "FULL") && (call.size() == 4 || call.is(4, "COUNT"));
    if (!options) return call.subcommand_error();
    std::size_t count = kFullCount;
    if (call.size() == 6) {
        const auto given = call.integer(5);
        if (!given) return;
        if (*given >= 0) count = static_cast<std::size_t>(*given);
    }
    write_full(call, *stream, count);
}

void xinfo_groups(Call& call) {
    const RedisStream* stream = existing_stream(call);
    if (!stream) return;
    call.reply.array(stream->groups.size());
    for (const auto& [name, group] : stream->groups) {
        call.reply.map(6);
        call.reply.bulk("name");
        call.reply.bulk(name);
        field(call, "consumers", group->consumers.size());
        field(call, "pending", group->pending.size());
        field(call, "last-delivered-id", group->last_id);
        optional_field(call, "entries-read", known(group->entries_read));
        optional_field(call, "lag", stream->lag(*group));
    }
}

void xinfo_consumers(Call& call) {
    const RedisStream* stream = existing_stream(call);
    if (!stream) return;
    const ConsumerGroup* group = stream->find(call[3]);
    if (!group) {
        return call.reply.error("NOGROUP No such consumer group '" + std::string(call[3]) + "' for key name '" +
                                std::string(call[2]) + "'");
    }
    call.reply.array(group->consumers.size());
    for (const auto& [name, consumer] : group->consumers) {
        call.reply.map(3);
        call.reply.bulk("name");
        call.reply.bulk(name);
        field(call, "pending", consumer->pending.size());
        field(call, "idle", static_cast<std::size_t>(std::max<std::int64_t>(call.now_ms - consumer->seen_ms, 0)));
    }
}

} // namespace flotilla::hub::commands
