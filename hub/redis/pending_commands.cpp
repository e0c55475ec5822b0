#include "hub/redis/commands.hpp"
#include "hub/redis/stream_reading.hpp"

namespace flotilla::hub::commands {

namespace {

void pending_summary(Call& call, const ConsumerGroup& group) {
    call.reply.array(4);
    call.reply.integer(static_cast<std::int64_t>(group.pending.size()));
    if (group.pending.empty()) {
        call.reply.null();
        call.reply.null();
        call.reply.null_array();
        return;
    }
    call.reply.id(group.pending.begin()->first);
    call.reply.id(group.pending.rbegin()->first);
    const std::size_t place = call.reply.place();
    std::size_t consumers = 0;
    for (const auto& [name, consumer] : group.consumers) {
        if (consumer->pending.empty()) continue;
        call.reply.array(2);
        call.reply.bulk(name);
        call.reply.bulk(std::to_string(consumer->pending.size()));
        ++consumers;
    }
    call.reply.array_at(place, consumers);
}

/// XPENDING with a range.
struct PendingRange {
    std::int64_t min_idle_ms = 0;
    std::int64_t count = 0;
    EntryId start, end;
    std::optional<std::string_view> consumer;
};

std::optional<PendingRange> read_range(Call& call) {
    PendingRange range;
    std::size_t at = 3;
    if (call.is(3, "IDLE")) {
        const auto idle = call.integer(4);
        if (!idle) return std::nullopt;
        if (call.size() < 8) {
            call.syntax_error();
            return std::nullopt;
        }
        range.min_idle_ms = *idle;
        at += 2;
    }
    const auto count = call.integer(at + 2);
    if (!count) return std::nullopt;
    range.count = *count;
    const auto start = call.range_start(at);
    if (!start) return std::nullopt;
    const auto end = call.range_end(at + 1);
    if (!end) return std::nullopt;
    range.start = *start;
    range.end = *end;
    if (at + 3 < call.size()) range.consumer = call[at + 3];
    return range;
}

void write_pending(Call& call, const ConsumerGroup& group, const PendingRange& range) {
    const Consumer* only = range.consumer ? group.find(*range.consumer) : nullptr;
    if (range.consumer && !only) return call.reply.array(0);
    const std::size_t place = call.reply.place();
    std::int64_t written = 0;
    const auto write = [&](EntryId id) {
        const PendingEntry& entry = group.pending.at(id);
        const std::int64_t idle = call.now_ms - entry.delivered_ms;
        if (range.min_idle_ms != 0 && idle < range.min_idle_ms) return;
        ++written;
        call.reply.array(4);
        call.reply.id(id);
        call.reply.bulk(entry.consumer->name);
        call.reply.integer(std::max<std::int64_t>(idle, 0));
        call.reply.integer(entry.deliveries);
    };
    if (only) {
        for (auto at = only->pending.lower_bound(range.start); at != only->pending.end(); ++at) {
            if (*at > range.end || written >= range.count) break;
            write(*at);
        }
    } else {
        for (auto at = group.pending.lower_bound(range.start); at != group.pending.end(); ++at) {
            if (at->first > range.end || written >= range.count) break;
            write(at->first);
        }
    }
    call.reply.array_at(place, static_cast<std::size_t>(written));
}

} // namespace

void xpending(Call& call) {
    if (call.size() != 3 && (call.size() < 6 || call.size() > 9)) return call.syntax_error();
    std::optional<PendingRange> range;
    if (call.size() > 3 && !(range = read_range(call))) return;
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    const ConsumerGroup* group = call.group(*stream, call[1], call[2]);
    if (!group) return;
    if (!range) return pending_summary(call, *group);
    write_pending(call, *group, *range);
}

namespace {

/// How entries change hands in XCLAIM and XAUTOCLAIM.
struct Claim {
    std::string_view consumer;
    std::int64_t min_idle_ms = 0;
    std::int64_t delivered_ms = 0;
    std::optional<std::int64_t> deliveries;
    bool force = false;
    bool only_ids = false;
};

enum class Claimed : unsigned char { no, yes, gone };

/// Gives one entry to the claiming consumer and writes it. `gone`: the stream no longer has it, so nobody can have it.
Claimed claim_one(Call& call, RedisStream& stream, ConsumerGroup& group, EntryId id, const Claim& claim) {
    const auto body = stream.find(id);
    if (!body) return call.keyspace().remove_pending(group, id) ? Claimed::gone : Claimed::no;
    const auto found = group.pending.find(id);
    const bool pending = found != group.pending.end();
    if (!pending && !claim.force) return Claimed::no;
    if (pending && claim.min_idle_ms > 0 && call.now_ms - found->second.delivered_ms < claim.min_idle_ms)
        return Claimed::no;
    Consumer& consumer = seen_consumer(call.keyspace(), group, claim.consumer, call.now_ms);
    const std::int64_t before = pending ? found->second.deliveries : 1;
    const std::int64_t deliveries = claim.deliveries.value_or(before + (claim.only_ids ? 0 : 1));
    call.keyspace().set_pending(group, id, consumer, claim.delivered_ms, deliveries);
    if (claim.only_ids) {
        call.reply.id(id);
    } else {
        write_entry(call.reply, {id, *body});
    }
    return Claimed::yes;
}

struct ClaimOptions {
    Claim claim;
    std::optional<std::int64_t> delivered_ms;
    EntryId last_id;
};

bool read_claim_options(Call& call, std::size_t at, ClaimOptions& options) {
    for (; at < call.size(); ++at) {
        const bool more = call.after(at) > 0;
        if (call.is(at, "FORCE")) {
            options.claim.force = true;
        } else if (call.is(at, "JUSTID")) {
            options.claim.only_ids = true;
        } else if (call.is(at, "IDLE") && more) {
            const auto idle = call.integer(++at, "Invalid IDLE option argument for XCLAIM");
            if (!idle) return false;
            options.delivered_ms =
                static_cast<std::int64_t>(static_cast<std::uint64_t>(call.now_ms) - static_cast<std::uint64_t>(*idle));
        } else if (call.is(at, "TIME") && more) {
            const auto time = call.integer(++at, "Invalid TIME option argument for XCLAIM");
            if (!time) return false;
            options.delivered_ms = *time;
        } else if (call.is(at, "RETRYCOUNT") && more) {
            const auto retries = call.integer(++at, "Invalid RETRYCOUNT option argument for XCLAIM");
            if (!retries) return false;
            options.claim.deliveries = *retries >= 0 ? retries : std::nullopt;
        } else if (call.is(at, "LASTID") && more) {
            const auto id = call.id(++at);
            if (!id) return false;
            options.last_id = *id;
        } else {
            call.reply.error("ERR Unrecognized XCLAIM option '" + std::string(call[at]) + "'");
            return false;
        }
    }
    const std::int64_t delivered = options.delivered_ms.value_or(call.now_ms);
    options.claim.delivered_ms = delivered < 0 || delivered > call.now_ms ? call.now_ms : delivered;
    return true;
}

} // namespace

void xclaim(Call& call) {
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    ConsumerGroup* group = call.group(*stream, call[1], call[2]);
    if (!group) return;
    const auto min_idle = call.integer(4, "Invalid min-idle-time argument for XCLAIM");
    if (!min_idle || !call.name_fits(call[3])) return;
    std::vector<EntryId> ids;
    std::size_t at = 5;
    for (; at < call.size(); ++at) {
        const auto id = parse_entry_id(call[at], 0);
        if (!id) break; // the options begin
        ids.push_back(*id);
    }
    ClaimOptions options;
    options.claim.consumer = call[3];
    options.claim.min_idle_ms = *min_idle;
    if (!read_claim_options(call, at, options)) return;
    if (options.last_id > group->last_id) {
        group->last_id = options.last_id;
        call.keyspace().touch(**stream, *group);
    }
    const std::size_t place = call.reply.place();
    const auto claimed = std::ranges::count_if(
        ids, [&](EntryId id) { return claim_one(call, **stream, *group, id, options.claim) == Claimed::yes; });
    call.reply.array_at(place, static_cast<std::size_t>(claimed));
}

namespace {

struct AutoClaim {
    Claim claim;
    EntryId start;
    std::int64_t count = 100;
};

std::optional<AutoClaim> read_autoclaim(Call& call) {
    AutoClaim options;
    const auto min_idle = call.integer(4, "Invalid min-idle-time argument for XAUTOCLAIM");
    if (!min_idle) return std::nullopt;
    const auto start = call.range_start(5);
    if (!start) return std::nullopt;
    for (std::size_t at = 6; at < call.size(); ++at) {
        if (call.is(at, "COUNT") && call.after(at) > 0) {
            const auto count = call.integer(++at, "COUNT must be > 0");
            if (!count) return std::nullopt;
            if (*count < 1 || *count > INT64_MAX / 16) {
                call.reply.error("ERR COUNT must be > 0");
                return std::nullopt;
            }
            options.count = *count;
        } else if (call.is(at, "JUSTID")) {
            options.claim.only_ids = true;
        } else {
            call.syntax_error();
            return std::nullopt;
        }
    }
    options.start = *start;
    options.claim.consumer = call[3];
    options.claim.min_idle_ms = *min_idle;
    options.claim.delivered_ms = call.now_ms;
    return options;
}

} // namespace

void xautoclaim(Call& call) {
    auto options = read_autoclaim(call);
    if (!options || !call.name_fits(call[3])) return;
    const auto stream = call.stream(call[1]);
    if (!stream) return;
    ConsumerGroup* group = call.group(*stream, call[1], call[2]);
    if (!group) return;
    const std::size_t place = call.reply.place();
    std::size_t claimed = 0;
    std::vector<EntryId> gone;
    std::int64_t left = options->count;
    // Redis looks at ten entries for each that it may return.
    std::int64_t attempts = options->count > INT64_MAX / 10 ? INT64_MAX : options->count * 10;
    auto next = group->pending.lower_bound(options->start);
    while (attempts-- > 0 && left > 0 && next != group->pending.end()) {
        const EntryId id = next->first;
        ++next; // before the entry may go
        const Claimed outcome = claim_one(call, **stream, *group, id, options->claim);
        if (outcome == Claimed::no) continue;
        --left;
        if (outcome == Claimed::gone) {
            gone.push_back(id);
        } else {
            ++claimed;
        }
    }
    call.reply.array_at(place, claimed);
    std::string cursor;
    Reply head(cursor, call.reply.protocol());
    head.array(3);
    head.id(next == group->pending.end() ? EntryId{} : next->first);
    call.reply.raw_at(place, cursor);
    call.reply.array(gone.size());
    for (const EntryId id : gone)
        call.reply.id(id);
}

} // namespace flotilla::hub::commands
