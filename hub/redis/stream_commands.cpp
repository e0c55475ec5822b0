#include "hub/redis/commands.hpp"
#include "hub/redis/stream_reading.hpp"

namespace flotilla::hub::commands {

namespace {

constexpr std::uint64_t kTrimLimit = 10'000; // of approximate trimming without LIMIT: 100 blocks

/// What XADD and XTRIM have in common.
struct AddOptions {
    TrimRule trim;
    bool no_create = false;
    std::size_t id_at = 0;
    bool any_id = false;       ///< "*"
    bool any_sequence = false; ///< "5-*"
    EntryId id;
};

/// Reads "[~|=] threshold" after MAXLEN or MINID; moves `at` to the threshold.
bool read_threshold(Call& call, std::size_t& at, TrimRule& rule, TrimRule::By by) {
    if (rule.by != TrimRule::By::none) {
        call.reply.error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
        return false;
    }
    const std::string_view next = call[at + 1];
    rule.approximate = call.after(at) >= 2 && next == "~";
    if (call.after(at) >= 2 && (next == "~" || next == "=")) ++at;
    ++at;
    rule.by = by;
    if (by == TrimRule::By::id) {
        const auto id = call.id(at);
        if (!id) return false;
        rule.id = *id;
        return true;
    }
    const auto length = call.integer(at);
    if (!length) return false;
    if (*length < 0) {
        call.reply.error("ERR The MAXLEN argument must be >= 0.");
        return false;
    }
    rule.length = static_cast<std::uint64_t>(*length);
    return true;
}

bool read_id(Call& call, std::size_t at, AddOptions& options) {
    const std::string_view text = call[at];
    options.any_sequence = text.ends_with("-*");
    const auto id = parse_entry_id(options.any_sequence ? text.substr(0, text.size() - 2) : text, 0);
    if (!id || (options.any_sequence && text.find('-') != text.size() - 2)) {
        call.reply.error("ERR Invalid stream ID specified as stream command argument");
        return false;
    }
    options.id = *id;
    return true;
}

bool check_limit(Call& call, TrimRule& rule, bool limit_given) {
    if (rule.limit > 0 && rule.by == TrimRule::By::none) {
        call.reply.error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
        return false;
    }
    if (limit_given && !rule.approximate) {
        call.reply.error("ERR syntax error, LIMIT cannot be used without the special ~ option");
        return false;
    }
    if (!limit_given && rule.approximate) rule.limit = kTrimLimit;
    return true;
}

bool read_options(Call& call, AddOptions& options, bool adding) {
    bool limit_given = false;
    std::size_t at = 2;
    for (; at < call.size(); ++at) {
        const bool more = call.after(at) > 0;
        if (adding && call[at] == "*") {
            options.any_id = true;
            break;
        }
        if (call.is(at, "MAXLEN") && more) {
            if (!read_threshold(call, at, options.trim, TrimRule::By::length)) return false;
        } else if (call.is(at, "MINID") && more) {
            if (!read_threshold(call, at, options.trim, TrimRule::By::id)) return false;
        } else if (call.is(at, "LIMIT") && more) {
            const auto limit = call.integer(++at);
            if (!limit) return false;
            if (*limit < 0) {
                call.reply.error("ERR The LIMIT argument must be >= 0.");
                return false;
            }
            options.trim.limit = static_cast<std::uint64_t>(*limit);
            limit_given = true;
        } else if (adding && call.is(at, "NOMKSTREAM")) {
            options.no_create = true;
        } else if (adding) {
            if (!read_id(call, at, options)) return false;
            break;
        } else {
            call.syntax_error();
            return false;
        }
    }
    options.id_at = at;
    if (!adding && options.trim.by == TrimRule::By::none && options.trim.limit == 0) {
        call.reply.error("ERR syntax error, XTRIM must be called with a trimming strategy");
        return false;
    }
    return check_limit(call, options.trim, limit_given);
}

/// The id of the new entry; nullopt when it would not be the greatest.
std::optional<EntryId> next_id(EntryId last, const AddOptions& options, std::int64_t now_ms) {
    if (options.any_id) {
        const auto now = static_cast<std::uint64_t>(now_ms);
        return now > last.ms ? EntryId{now, 0} : last.next();
    }
    EntryId id = options.id;
    if (options.any_sequence && id.ms == last.ms) {
        if (last.sequence == UINT64_MAX) return std::nullopt;
        id.sequence = last.sequence + 1;
    }
    if (id <= last) return std::nullopt;
    return id;
}

/// The entry as replies will carry it, or nothing and an error when it is too large.
std::optional<std::string> encode_body(Call& call, std::span<const std::string_view> fields) {
    std::size_t bytes = 0;
    for (const std::string_view each : fields)
        bytes += each.size() + 16;
    if (bytes > call.keyspace().limits().entry_bytes_max) {
        call.reply.error("ERR Elements are too large to be stored");
        return std::nullopt;
    }
    std::string body;
    body.reserve(bytes);
    resp::write_command(body, fields);
    return body;
}

/// A full stream refuses, as Redis does when its memory is full; it is for the owner to trim it.
bool stream_has_room(Call& call, const RedisStream* stream, std::size_t bytes) {
    const std::size_t used = stream ? stream->bytes() : 0;
    if (used + bytes <= call.keyspace().limits().stream_bytes_max) return true;
    call.reply.error(kOutOfMemory);
    return false;
}

} // namespace

void xadd(Call& call) {
    AddOptions options;
    if (!read_options(call, options, true)) return;
    if (options.id_at + 1 > call.size()) return call.arity_error();
    const auto fields = call.arguments.subspan(options.id_at + 1);
    if (fields.size() < 2 || fields.size() % 2 == 1) return call.arity_error();
    if (!options.any_id && !options.any_sequence && options.id.is_zero()) {
        return call.reply.error("ERR The ID specified in XADD must be greater than 0-0");
    }
    const auto found = call.stream(call[1]);
    if (!found) return;
    RedisStream* stream = *found;
    if (!stream && options.no_create) return call.reply.null();
    if (stream && stream->last_id == EntryId::max()) {
        return call.reply.error("ERR The stream has exhausted the last possible ID, unable to add more items");
    }
    const auto id = next_id(stream ? stream->last_id : EntryId{}, options, call.now_ms);
    if (!id)
        return call.reply.error("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    if (!call.name_fits(call[1])) return;
    const auto body = encode_body(call, fields);
    if (!body || !stream_has_room(call, stream, body->size())) return;
    if (!stream) stream = call.new_stream(call[1]);
    if (!stream) return;
    call.keyspace().append(*stream, *id, *body);
    call.keyspace().trim(*stream, options.trim);
    call.reply.id(*id);
    call.engine.signal(call[1]);
}

void xtrim(Call& call) {
    AddOptions options;
    if (!read_options(call, options, false)) return;
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    call.reply.integer(*stream ? static_cast<std::int64_t>(call.keyspace().trim(**stream, options.trim)) : 0);
}

void xlen(Call& call) {
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    call.reply.integer(*stream ? static_cast<std::int64_t>((*stream)->length()) : 0);
}

namespace {

void range(Call& call, std::size_t start_at, std::size_t end_at, bool backwards) {
    const auto start = call.range_start(start_at);
    if (!start) return;
    const auto end = call.range_end(end_at);
    if (!end) return;
    std::optional<std::int64_t> count;
    for (std::size_t at = 4; at < call.size(); at += 2) {
        if (!call.is(at, "COUNT") || call.after(at) == 0) return call.syntax_error();
        count = call.integer(at + 1);
        if (!count) return;
    }
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    if (!*stream) return call.reply.array(0);
    if (count && *count <= 0) return call.reply.null_array();
    write_range(call.reply, **stream, *start, *end, static_cast<std::size_t>(count.value_or(0)), backwards);
}

} // namespace

void xrange(Call& call) { range(call, 2, 3, false); }
void xrevrange(Call& call) { range(call, 3, 2, true); }

void xdel(Call& call) {
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    if (!*stream) return call.reply.integer(0);
    std::vector<EntryId> ids;
    for (std::size_t at = 2; at < call.size(); ++at) {
        const auto id = call.id(at);
        if (!id) return;
        ids.push_back(*id);
    }
    const auto removed = std::ranges::count_if(ids, [&](EntryId id) { return call.keyspace().remove(**stream, id); });
    call.reply.integer(removed);
}

void xsetid(Call& call) {
    const auto id = call.id(2);
    if (!id) return;
    std::optional<std::int64_t> added;
    EntryId max_deleted;
    for (std::size_t at = 3; at < call.size(); at += 2) {
        if (call.after(at) == 0) return call.syntax_error();
        if (call.is(at, "ENTRIESADDED")) {
            added = call.integer(at + 1);
            if (!added) return;
            if (*added < 0) return call.reply.error("ERR entries_added must be positive");
        } else if (call.is(at, "MAXDELETEDID")) {
            const auto deleted = call.id(at + 1);
            if (!deleted) return;
            if (*id < *deleted) {
                return call.reply.error(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
            }
            max_deleted = *deleted;
        } else {
            return call.syntax_error();
        }
    }
    if (!call.keyspace().find(call[1])) return call.reply.error("ERR no such key");
    const auto found = call.stream(call[1]);
    if (!found) return;
    RedisStream& stream = **found;
    if (stream.length() > 0 && *id < stream.last_entry_id()) {
        return call.reply.error("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if (stream.length() > 0 && added && *added < static_cast<std::int64_t>(stream.length())) {
        return call.reply.error("ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
    stream.last_id = *id;
    if (added) stream.entries_added = *added;
    if (!max_deleted.is_zero()) stream.max_deleted_id = max_deleted;
    call.keyspace().touch(stream);
    call.reply.ok();
}

} // namespace flotilla::hub::commands
