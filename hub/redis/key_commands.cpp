#include "hub/redis/commands.hpp"

namespace flotilla::hub::commands {

void type(Call& call) {
    const KeyValue* value = call.keyspace().find(call[1]);
    call.reply.simple(!value ? "none" : value->stream ? "stream" : "string");
}

void exists(Call& call) {
    const auto names = call.arguments.subspan(1);
    call.reply.integer(
        std::ranges::count_if(names, [&](std::string_view key) { return call.keyspace().find(key) != nullptr; }));
}

void del(Call& call) {
    std::int64_t removed = 0;
    for (const std::string_view key : call.arguments.subspan(1)) {
        if (!call.keyspace().erase(key)) continue;
        ++removed;
        call.engine.signal(key);
    }
    call.reply.integer(removed);
}

void keys(Call& call) {
    if (!call.pattern_fits(call[1])) return;
    const std::size_t place = call.reply.place();
    std::size_t found = 0;
    for (const auto& [key, value] : call.keyspace().keys()) {
        if (!glob_matches(call[1], key)) continue;
        call.reply.bulk(key);
        ++found;
    }
    call.reply.array_at(place, found);
}

namespace {

struct ExpireOptions {
    bool only_without = false; // NX
    bool only_with = false;    // XX
    bool only_later = false;   // GT
    bool only_earlier = false; // LT
};

std::optional<ExpireOptions> read_options(Call& call) {
    ExpireOptions options;
    for (std::size_t at = 3; at < call.size(); ++at) {
        if (call.is(at, "NX")) {
            options.only_without = true;
        } else if (call.is(at, "XX")) {
            options.only_with = true;
        } else if (call.is(at, "GT")) {
            options.only_later = true;
        } else if (call.is(at, "LT")) {
            options.only_earlier = true;
        } else {
            call.reply.error("ERR Unsupported option " + std::string(call[at]));
            return std::nullopt;
        }
    }
    if (options.only_without && (options.only_with || options.only_later || options.only_earlier)) {
        call.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
        return std::nullopt;
    }
    if (options.only_later && options.only_earlier) {
        call.reply.error("ERR GT and LT options at the same time are not compatible");
        return std::nullopt;
    }
    return options;
}

bool allowed(const ExpireOptions& options, std::int64_t current, std::int64_t wanted) {
    if (options.only_without && current != 0) return false;
    if (options.only_with && current == 0) return false;
    if (options.only_later && (current == 0 || wanted <= current)) return false;
    return !options.only_earlier || current == 0 || wanted < current;
}

void expire_in(Call& call, std::int64_t unit_ms) {
    const auto options = read_options(call);
    if (!options) return;
    const auto time = call.integer(2);
    if (!time) return;
    const auto invalid = [&] {
        std::string name(call.command.name);
        call.reply.error("ERR invalid expire time in '" + name + "' command");
    };
    if (*time > INT64_MAX / unit_ms || *time < INT64_MIN / unit_ms) return invalid();
    const std::int64_t span = *time * unit_ms;
    if (span > INT64_MAX - call.now_ms) return invalid();
    const std::int64_t until = span + call.now_ms;
    KeyValue* value = call.keyspace().find(call[1]);
    if (!value || !allowed(*options, value->expires_ms, until)) return call.reply.integer(0);
    if (until <= call.now_ms) {
        call.keyspace().erase(call[1]);
        call.engine.signal(call[1]);
    } else {
        call.keyspace().set_expiry(call[1], *value, until);
    }
    call.reply.integer(1);
}

/// -2: no such key; -1: it stays for ever.
std::int64_t left_ms(Call& call) {
    const KeyValue* value = call.keyspace().find(call[1]);
    if (!value) return -2;
    if (value->expires_ms == 0) return -1;
    return std::max<std::int64_t>(value->expires_ms - call.now_ms, 0);
}

} // namespace

void expire(Call& call) { expire_in(call, 1000); }
void pexpire(Call& call) { expire_in(call, 1); }

void pttl(Call& call) { call.reply.integer(left_ms(call)); }

void ttl(Call& call) {
    const std::int64_t left = left_ms(call);
    call.reply.integer(left < 0 ? left : (left + 500) / 1000);
}

void persist(Call& call) {
    KeyValue* value = call.keyspace().find(call[1]);
    if (!value || value->expires_ms == 0) return call.reply.integer(0);
    call.keyspace().set_expiry(call[1], *value, 0);
    call.reply.integer(1);
}

} // namespace flotilla::hub::commands
