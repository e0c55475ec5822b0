#include "hub/redis/commands.hpp"

// Strings serve leases and limiters: they live in memory only and are gone after a restart of the hub.

namespace flotilla::hub::commands {

namespace {

struct SetOptions {
    bool only_new = false;      // NX
    bool only_existing = false; // XX
    bool get = false;
    bool keep_expiry = false;  // KEEPTTL
    std::size_t expiry_at = 0; // argument of EX, PX, EXAT, PXAT; 0: none
    bool seconds = false;
    bool absolute = false;
};

bool read_expiry_option(Call& call, std::size_t& at, SetOptions& options) {
    options.seconds = call.is(at, "EX") || call.is(at, "EXAT");
    options.absolute = call.is(at, "EXAT") || call.is(at, "PXAT");
    if (!options.seconds && !options.absolute && !call.is(at, "PX")) return false;
    if (options.keep_expiry || options.expiry_at != 0 || call.after(at) == 0) return false;
    options.expiry_at = ++at;
    return true;
}

std::optional<SetOptions> read_options(Call& call) {
    SetOptions options;
    for (std::size_t at = 3; at < call.size(); ++at) {
        if (call.is(at, "NX") && !options.only_existing) {
            options.only_new = true;
        } else if (call.is(at, "XX") && !options.only_new) {
            options.only_existing = true;
        } else if (call.is(at, "GET")) {
            options.get = true;
        } else if (call.is(at, "KEEPTTL") && options.expiry_at == 0) {
            options.keep_expiry = true;
        } else if (!read_expiry_option(call, at, options)) {
            call.syntax_error();
            return std::nullopt;
        }
    }
    return options;
}

/// When the key shall expire; 0: never. nullopt and an error when that is no time.
std::optional<std::int64_t> expiry_of(Call& call, const SetOptions& options) {
    if (options.expiry_at == 0) return 0;
    const auto given = call.integer(options.expiry_at);
    if (!given) return std::nullopt;
    const std::int64_t unit = options.seconds ? 1000 : 1;
    const std::int64_t base = options.absolute ? 0 : call.now_ms;
    if (*given <= 0 || *given > INT64_MAX / unit || *given * unit > INT64_MAX - base) {
        call.reply.error("ERR invalid expire time in 'set' command");
        return std::nullopt;
    }
    return *given * unit + base;
}

/// False, and WRONGTYPE, when the key holds a stream.
bool is_text(Call& call, const KeyValue* value) {
    if (!value || !value->stream) return true;
    call.reply.error("WRONGTYPE Operation against a key holding the wrong kind of value");
    return false;
}

void write_text(Call& call, const KeyValue* value) {
    if (value) return call.reply.bulk(value->text);
    call.reply.null();
}

void increment(Call& call, std::int64_t amount) {
    KeyValue* value = call.keyspace().find(call[1]);
    if (!is_text(call, value) || !call.name_fits(call[1])) return;
    const auto current = value ? parse_strict_integer(value->text) : 0;
    if (!current) return call.reply.error("ERR value is not an integer or out of range");
    std::int64_t sum = 0;
    if (__builtin_add_overflow(*current, amount, &sum)) {
        return call.reply.error("ERR increment or decrement would overflow");
    }
    call.keyspace().set_text(call[1], std::to_string(sum));
    call.reply.integer(sum);
}

} // namespace

void set(Call& call) {
    const auto options = read_options(call);
    if (!options || !call.name_fits(call[1])) return;
    const auto expires = expiry_of(call, *options);
    if (!expires) return;
    const KeyValue* before = call.keyspace().find(call[1]);
    if (options->get) {
        if (!is_text(call, before)) return;
        write_text(call, before);
    }
    if ((options->only_new && before) || (options->only_existing && !before)) {
        if (!options->get) call.reply.null();
        return;
    }
    const bool was_stream = before && before->stream;
    if (was_stream) {
        if (const auto refusal = call.engine.write_refusal(); !refusal.empty()) return call.reply.error(refusal);
    }
    const std::int64_t expiry = options->keep_expiry && before ? before->expires_ms : *expires;
    KeyValue& value = call.keyspace().set_text(call[1], call[2]);
    call.keyspace().set_expiry(call[1], value, expiry);
    if (!options->get) call.reply.ok();
    if (was_stream) call.engine.signal(call[1]);
}

void get(Call& call) {
    const KeyValue* value = call.keyspace().find(call[1]);
    if (is_text(call, value)) write_text(call, value);
}

void incr(Call& call) { increment(call, 1); }
void decr(Call& call) { increment(call, -1); }

void incrby(Call& call) {
    if (const auto amount = call.integer(2)) increment(call, *amount);
}

void decrby(Call& call) {
    const auto amount = call.integer(2);
    if (!amount) return;
    if (*amount == INT64_MIN) return call.reply.error("ERR decrement would overflow");
    increment(call, -*amount);
}

} // namespace flotilla::hub::commands
