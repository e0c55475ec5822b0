#include <chrono>

#include "hub/redis/commands.hpp"
#include "hub/redis/stream_reading.hpp"

namespace flotilla::hub::commands {

namespace {

// More is for ever: a timer counts nanoseconds, of which 292 years fit.
constexpr std::int64_t kBlockMsMax = std::chrono::milliseconds(std::chrono::years(100)).count();
constexpr std::size_t kBlockedCount = 1000; // a blocked read without COUNT gets no more

/// XREAD and XREADGROUP with their options read.
struct ReadRequest {
    bool grouped = false;
    std::string_view group, consumer;
    bool no_acknowledge = false;
    std::optional<std::int64_t> block_ms;
    std::size_t count = 0;
    std::size_t streams_at = 0;
    std::size_t streams = 0;

    struct Source {
        std::string_view key;
        ConsumerGroup* group = nullptr;
        EntryId after;
        bool only_new = false; ///< ">"
    };
    std::vector<Source> sources;
};

bool read_block(Call& call, std::size_t at, ReadRequest& request) {
    const auto block = call.integer(at, "timeout is not an integer or out of range");
    if (!block) return false;
    if (*block < 0) {
        call.reply.error("ERR timeout is negative");
        return false;
    }
    request.block_ms = *block;
    return true;
}

bool only_for_groups(Call& call, const ReadRequest& request, std::string_view option) {
    if (request.grouped) return true;
    call.reply.error("ERR The " + std::string(option) +
                     " option is only supported by XREADGROUP. You called XREAD instead.");
    return false;
}

bool read_options(Call& call, ReadRequest& request) {
    for (std::size_t at = 1; at < call.size() && request.streams_at == 0; ++at) {
        const bool more = call.after(at) > 0;
        if (call.is(at, "BLOCK") && more) {
            if (!read_block(call, ++at, request)) return false;
        } else if (call.is(at, "COUNT") && more) {
            const auto count = call.integer(++at);
            if (!count) return false;
            request.count = *count < 0 ? 0 : static_cast<std::size_t>(*count);
        } else if (call.is(at, "STREAMS") && more) {
            request.streams_at = at + 1;
        } else if (call.is(at, "GROUP") && call.after(at) >= 2) {
            if (!only_for_groups(call, request, "GROUP")) return false;
            request.group = call[at + 1];
            request.consumer = call[at + 2];
            at += 2;
        } else if (call.is(at, "NOACK")) {
            if (!only_for_groups(call, request, "NOACK")) return false;
            request.no_acknowledge = true;
        } else {
            call.syntax_error();
            return false;
        }
    }
    if (request.streams_at == 0) {
        call.syntax_error();
        return false;
    }
    request.streams = call.size() - request.streams_at;
    if (request.streams % 2 != 0) {
        call.reply.error("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
        return false;
    }
    request.streams /= 2;
    if (request.grouped && request.group.data() == nullptr) {
        call.reply.error("ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    return true;
}

/// Reads the id of one stream: "$", ">" or where to go on.
bool read_position(Call& call, std::size_t at, const RedisStream* stream, ReadRequest& request,
                   ReadRequest::Source& source) {
    if (call[at] == "$") {
        if (request.grouped) {
            call.reply.error(
                "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this "
                "consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just "
                "return an empty result set.");
            return false;
        }
        if (stream) source.after = stream->last_id;
        return true;
    }
    if (call[at] == ">") {
        if (!request.grouped) {
            call.reply.error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
                             "<consumer> option.");
            return false;
        }
        source.only_new = true;
        return true;
    }
    const auto id = call.id(at);
    if (id) source.after = *id;
    return id.has_value();
}

bool read_sources(Call& call, ReadRequest& request) {
    for (std::size_t i = 0; i < request.streams; ++i) {
        ReadRequest::Source source;
        source.key = call[request.streams_at + i];
        const auto stream = call.stream(source.key);
        if (!stream) return false;
        if (request.grouped) {
            source.group = call.group(*stream, source.key, request.group, " in XREADGROUP with GROUP option");
            if (!source.group) return false;
        }
        if (!read_position(call, request.streams_at + request.streams + i, *stream, request, source)) return false;
        request.sources.push_back(source);
    }
    return true;
}

/// Whether there is something to answer at once; the history of a consumer always is.
bool is_ready(const RedisStream& stream, const ReadRequest::Source& source) {
    if (source.group && !source.only_new) return true;
    if (stream.length() == 0) return false;
    return stream.last_entry_id() > (source.group ? source.group->last_id : source.after);
}

void answer(Call& call, const ReadRequest& request, const ReadRequest::Source& source, RedisStream& stream) {
    if (call.reply.protocol() == 2) call.reply.array(2);
    call.reply.bulk(source.key);
    const EntryId after = source.only_new ? source.group->last_id : source.after;
    const EntryId from = after.next().value_or(EntryId{}); // Redis wraps around, too
    if (!source.group) {
        write_range(call.reply, stream, from, EntryId::max(), request.count);
        return;
    }
    Consumer& consumer = seen_consumer(call.keyspace(), *source.group, request.consumer, call.now_ms);
    const DeliveryRequest delivery{from, request.count, request.no_acknowledge, call.now_ms};
    if (source.only_new) {
        deliver(call.keyspace(), stream, *source.group, consumer, delivery, call.reply);
    } else {
        deliver_history(call.keyspace(), stream, *source.group, consumer, delivery, call.reply);
    }
}

void wait(Call& call, const ReadRequest& request) {
    BlockedRead read;
    for (const auto& source : request.sources)
        read.sources.push_back({std::string(source.key), source.after});
    read.in_group = request.grouped;
    read.group = request.group;
    read.consumer = request.consumer;
    read.count = request.count ? request.count : kBlockedCount;
    read.no_acknowledge = request.no_acknowledge;
    if (*request.block_ms > 0 && *request.block_ms <= kBlockMsMax) read.until_ms = call.now_ms + *request.block_ms;
    call.engine.block(call.session, std::move(read));
}

void read(Call& call, bool grouped) {
    ReadRequest request;
    request.grouped = grouped;
    if (!read_options(call, request) || !call.name_fits(request.consumer) || !read_sources(call, request)) return;
    const std::size_t place = call.reply.place();
    std::size_t answered = 0;
    for (const auto& source : request.sources) {
        KeyValue* value = call.keyspace().find(source.key);
        if (!value || !is_ready(*value->stream, source)) continue;
        answer(call, request, source, *value->stream);
        ++answered;
        if (call.engine.owes_too_much(call.session)) break; // one stream may be named any number of times
    }
    if (answered > 0) {
        if (call.reply.protocol() == 2) return call.reply.array_at(place, answered);
        return call.reply.map_at(place, answered);
    }
    if (request.block_ms) return wait(call, request);
    call.reply.null_array();
}

} // namespace

void xread(Call& call) { read(call, false); }
void xreadgroup(Call& call) { read(call, true); }

} // namespace flotilla::hub::commands
