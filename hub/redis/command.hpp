#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hub/redis/engine.hpp"

namespace flotilla::hub {

struct Command;

/// The version of Redis whose behaviour this is; clients choose features by it.
inline constexpr std::string_view kRedisVersion = "7.0.15";

/// What a command gets that memory has no room for.
inline constexpr std::string_view kOutOfMemory = "OOM command not allowed when used memory > 'maxmemory'.";

/// One command being executed. Helpers that can fail write the error reply and return nothing.
struct Call {
    Engine& engine;
    Session& session;
    const Command& command;
    std::span<const std::string_view> arguments; ///< [0] is the command's name
    Reply reply;
    std::int64_t now_ms;

    Keyspace& keyspace() { return engine.keyspace(); }
    std::size_t size() const { return arguments.size(); }
    std::string_view operator[](std::size_t index) const { return arguments[index]; }
    /// Arguments after this one.
    std::size_t after(std::size_t index) const { return arguments.size() - 1 - index; }
    /// Case-insensitive comparison of an option's name; `name` is in upper case.
    bool is(std::size_t index, std::string_view name) const;

    void syntax_error() { reply.error("ERR syntax error"); }
    void arity_error();
    void subcommand_error();
    std::optional<std::int64_t> integer(std::size_t index,
                                        std::string_view message = "value is not an integer or out of range");
    /// An id; "-" and "+" are refused.
    std::optional<EntryId> id(std::size_t index, std::uint64_t missing_sequence = 0);
    /// Ends of a range: "-", "+", "(" for exclusive.
    std::optional<EntryId> range_start(std::size_t index);
    std::optional<EntryId> range_end(std::size_t index);

    /// The stream at a key: null when there is none; nullopt (and WRONGTYPE) when it is something else.
    std::optional<RedisStream*> stream(std::string_view key);
    /// Makes a stream. Null, and an error, when there are too many already: in a transaction nobody has looked before.
    /// Requires: the key does not exist.
    RedisStream* new_stream(std::string_view key);
    /// A group that must exist; `where` ends the error: "" or " in XREADGROUP with GROUP option".
    ConsumerGroup* group(RedisStream* stream, std::string_view key, std::string_view name, std::string_view where = "");
    /// False (and an error) when a name is longer than the limit.
    bool name_fits(std::string_view name);
    /// The same for a glob pattern, which takes time for each of its characters with each name it is held against.
    bool pattern_fits(std::string_view pattern);
};

/// Strict decimal integer as Redis reads it: no sign but '-', no leading zeros or blanks.
std::optional<std::int64_t> parse_strict_integer(std::string_view text);

/// A command or subcommand.
struct Command {
    enum Flag : unsigned {
        kRead = 1,
        kWrite = 2,   ///< changes what the journal keeps: refused while the disk fails
        kDenyOom = 4, ///< refused while memory is full
        kPubSub = 8,  ///< allowed to a RESP2 client with subscriptions
        kBlocking = 16,
        kFast = 32,
        kUnqueued = 64, ///< runs at once, also after MULTI
    };
    std::string_view name; ///< lower case
    int arity;             ///< with the name(s); negative: at least
    unsigned flags;
    void (*run)(Call&); ///< null: has subcommands
    std::span<const Command> subcommands = {};
    int first_key = 0, last_key = 0, key_step = 0;
    std::string_view full_name = {}; ///< of a subcommand: "xgroup|create"
};

/// Every command, sorted by name.
std::span<const Command> command_table();
const Command* find_command(std::span<const Command> table, std::string_view name);

} // namespace flotilla::hub
