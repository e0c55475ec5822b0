#include <charconv>

#include <flotilla/base/ascii.hpp>

#include "hub/redis/command.hpp"

namespace flotilla::hub {

namespace {

constexpr std::size_t kPatternBytesMax = 1024;
constexpr std::string_view kInvalidId = "ERR Invalid stream ID specified as stream command argument";

} // namespace

const Command* find_command(std::span<const Command> table, std::string_view name) {
    std::array<char, 32> text;
    if (name.size() > text.size()) return nullptr;
    std::ranges::transform(name, text.begin(), [](char c) { return ascii_lower(c); });
    const std::string_view wanted(text.data(), name.size());
    const auto found = std::ranges::lower_bound(table, wanted, {}, &Command::name);
    return found != table.end() && found->name == wanted ? &*found : nullptr;
}

std::optional<std::int64_t> parse_strict_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
    const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
    if (digits.starts_with('0') && text != "0") return std::nullopt; // 007, -0
    return value;
}

bool Call::is(std::size_t index, std::string_view name) const { return equal_ignoring_case(arguments[index], name); }

void Call::arity_error() {
    const std::string_view name = command.full_name.empty() ? command.name : command.full_name;
    reply.error("ERR wrong number of arguments for '" + std::string(name) + "' command");
}

void Call::subcommand_error() {
    reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(arguments[1].substr(0, 128)) +
                "'. Try " + ascii_upper(arguments[0]) + " HELP.");
}

std::optional<std::int64_t> Call::integer(std::size_t index, std::string_view message) {
    const auto value = parse_strict_integer(arguments[index]);
    if (!value) reply.error("ERR " + std::string(message));
    return value;
}

std::optional<EntryId> Call::id(std::size_t index, std::uint64_t missing_sequence) {
    const auto value = parse_entry_id(arguments[index], missing_sequence);
    if (!value) reply.error(kInvalidId);
    return value;
}

std::optional<EntryId> Call::range_start(std::size_t index) {
    const std::string_view text = arguments[index];
    if (text == "-") return EntryId{};
    if (text == "+") return EntryId::max();
    const bool exclusive = text.size() > 1 && text.front() == '(';
    const auto value = parse_entry_id(exclusive ? text.substr(1) : text, 0);
    if (!value) {
        reply.error(kInvalidId);
        return std::nullopt;
    }
    const auto start = exclusive ? value->next() : value;
    if (!start) reply.error("ERR invalid start ID for the interval");
    return start;
}

std::optional<EntryId> Call::range_end(std::size_t index) {
    const std::string_view text = arguments[index];
    if (text == "-") return EntryId{};
    if (text == "+") return EntryId::max();
    const bool exclusive = text.size() > 1 && text.front() == '(';
    const auto value = parse_entry_id(exclusive ? text.substr(1) : text, UINT64_MAX);
    if (!value) {
        reply.error(kInvalidId);
        return std::nullopt;
    }
    const auto end = exclusive ? value->previous() : value;
    if (!end) reply.error("ERR invalid end ID for the interval");
    return end;
}

std::optional<RedisStream*> Call::stream(std::string_view key) {
    KeyValue* value = keyspace().find(key);
    if (!value) return nullptr;
    if (value->stream) return value->stream.get();
    reply.error("WRONGTYPE Operation against a key holding the wrong kind of value");
    return std::nullopt;
}

RedisStream* Call::new_stream(std::string_view key) {
    if (!keyspace().streams_full()) return &keyspace().create_stream(key);
    reply.error(kOutOfMemory);
    return nullptr;
}

ConsumerGroup* Call::group(RedisStream* stream, std::string_view key, std::string_view name, std::string_view where) {
    ConsumerGroup* group = stream ? stream->find(name) : nullptr;
    if (!group) {
        reply.error("NOGROUP No such key '" + std::string(key) + "' or consumer group '" + std::string(name) + "'" +
                    std::string(where));
    }
    return group;
}

bool Call::name_fits(std::string_view name) {
    if (name.size() <= keyspace().limits().name_bytes_max) return true;
    reply.error("ERR name exceeds maximum allowed size");
    return false;
}

bool Call::pattern_fits(std::string_view pattern) {
    if (pattern.size() <= kPatternBytesMax) return true;
    reply.error("ERR pattern exceeds maximum allowed size");
    return false;
}

} // namespace flotilla::hub
