#include "hub/redis/commands.hpp"
#include "hub/redis/stream_reading.hpp"

namespace flotilla::hub::commands {

namespace {

struct GroupOptions {
    bool make_stream = false;
    std::int64_t entries_read = ConsumerGroup::kUnknown;
};

std::optional<GroupOptions> read_options(Call& call, bool creating) {
    GroupOptions options;
    for (std::size_t at = 5; at < call.size(); ++at) {
        if (creating && call.is(at, "MKSTREAM")) {
            options.make_stream = true;
        } else if (call.is(at, "ENTRIESREAD") && call.after(at) > 0) {
            const auto read = call.integer(++at);
            if (!read) return std::nullopt;
            if (*read < 0 && *read != ConsumerGroup::kUnknown) {
                call.reply.error("ERR value for ENTRIESREAD must be positive or -1");
                return std::nullopt;
            }
            options.entries_read = *read;
        } else {
            call.subcommand_error();
            return std::nullopt;
        }
    }
    return options;
}

/// The stream of an XGROUP command; null and an error when there is none.
RedisStream* existing_stream(Call& call) {
    const auto stream = call.stream(call[2]);
    if (!stream) return nullptr;
    if (!*stream) {
        call.reply.error(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
            "MKSTREAM option to create an empty stream automatically.");
    }
    return *stream;
}

ConsumerGroup* existing_group(Call& call, const RedisStream& stream) {
    ConsumerGroup* group = stream.find(call[3]);
    if (!group) {
        call.reply.error("NOGROUP No such consumer group '" + std::string(call[3]) + "' for key name '" +
                         std::string(call[2]) + "'");
    }
    return group;
}

} // namespace

void xgroup_create(Call& call) {
    const auto options = read_options(call, true);
    if (!options) return;
    RedisStream* stream = nullptr;
    if (options->make_stream) {
        const auto found = call.stream(call[2]);
        if (!found) return;
        stream = *found;
    } else if (!(stream = existing_stream(call))) {
        return;
    }
    EntryId last_id = stream ? stream->last_id : EntryId{};
    if (call[4] != "$") {
        const auto id = call.id(4);
        if (!id) return;
        last_id = *id;
    }
    if (!call.name_fits(call[2]) || !call.name_fits(call[3])) return;
    if (!stream) stream = call.new_stream(call[2]);
    if (!stream) return;
    if (stream->find(call[3])) return call.reply.error("BUSYGROUP Consumer Group name already exists");
    call.keyspace().create_group(*stream, call[3], last_id, options->entries_read);
    call.reply.ok();
}

void xgroup_setid(Call& call) {
    const auto options = read_options(call, false);
    if (!options) return;
    RedisStream* stream = existing_stream(call);
    if (!stream) return;
    ConsumerGroup* group = existing_group(call, *stream);
    if (!group) return;
    EntryId id = stream->last_id;
    if (call[4] == "-" || call[4] == "+") {
        id = call[4] == "-" ? EntryId{} : EntryId::max();
    } else if (call[4] != "$") {
        const auto given = call.id(4);
        if (!given) return;
        id = *given;
    }
    group->last_id = id;
    group->entries_read = options->entries_read;
    call.keyspace().touch(*stream, *group);
    call.reply.ok();
}

void xgroup_destroy(Call& call) {
    RedisStream* stream = existing_stream(call);
    if (!stream) return;
    ConsumerGroup* group = stream->find(call[3]);
    if (group) call.keyspace().drop_group(*stream, *group);
    call.reply.integer(group ? 1 : 0);
    if (group) call.engine.signal(call[2]);
}

void xgroup_createconsumer(Call& call) {
    RedisStream* stream = existing_stream(call);
    if (!stream) return;
    ConsumerGroup* group = existing_group(call, *stream);
    if (!group || !call.name_fits(call[4])) return;
    const bool create = group->find(call[4]) == nullptr;
    if (create) call.keyspace().create_consumer(*group, call[4], call.now_ms);
    call.reply.integer(create ? 1 : 0);
}

void xgroup_delconsumer(Call& call) {
    RedisStream* stream = existing_stream(call);
    if (!stream) return;
    ConsumerGroup* group = existing_group(call, *stream);
    if (!group) return;
    Consumer* consumer = group->find(call[4]);
    const std::size_t pending = consumer ? consumer->pending.size() : 0;
    if (consumer) call.keyspace().drop_consumer(*group, *consumer);
    call.reply.integer(static_cast<std::int64_t>(pending));
}

void xack(Call& call) {
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    ConsumerGroup* group = *stream ? (*stream)->find(call[2]) : nullptr;
    if (!group) return call.reply.integer(0);
    std::vector<EntryId> ids; // all are read before the first is acknowledged
    for (std::size_t at = 3; at < call.size(); ++at) {
        const auto id = call.id(at);
        if (!id) return;
        ids.push_back(*id);
    }
    call.reply.integer(
        std::ranges::count_if(ids, [&](EntryId id) { return call.keyspace().remove_pending(*group, id); }));
}

} // namespace flotilla::hub::commands
