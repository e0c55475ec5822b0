#include "hub/redis/commands.hpp"

namespace flotilla::hub {

namespace {

using namespace commands; // NOLINT: the table reads as a table
using enum Command::Flag;

constexpr Command kClient[] = {
    {"getname", 2, kFast, client_getname, {}, 0, 0, 0, "client|getname"},
    {"help", 2, kFast, help, {}, 0, 0, 0, "client|help"},
    {"id", 2, kFast, client_id, {}, 0, 0, 0, "client|id"},
    {"info", 2, kFast, client_info, {}, 0, 0, 0, "client|info"},
    {"list", -2, kFast, client_list, {}, 0, 0, 0, "client|list"},
    {"setinfo", 4, kFast, client_setinfo, {}, 0, 0, 0, "client|setinfo"},
    {"setname", 3, kFast, client_setname, {}, 0, 0, 0, "client|setname"},
};
constexpr Command kCommand[] = {
    {"count", 2, kFast, command_count, {}, 0, 0, 0, "command|count"},
    {"docs", -2, kFast, command_docs, {}, 0, 0, 0, "command|docs"},
    {"help", 2, kFast, help, {}, 0, 0, 0, "command|help"},
    {"info", -2, kFast, command_info, {}, 0, 0, 0, "command|info"},
    {"list", -2, kFast, command_list, {}, 0, 0, 0, "command|list"},
};
constexpr Command kPubSubCommands[] = {
    {"channels", -2, kFast, pubsub_channels, {}, 0, 0, 0, "pubsub|channels"},
    {"help", 2, kFast, help, {}, 0, 0, 0, "pubsub|help"},
    {"numpat", 2, kFast, pubsub_numpat, {}, 0, 0, 0, "pubsub|numpat"},
    {"numsub", -2, kFast, pubsub_numsub, {}, 0, 0, 0, "pubsub|numsub"},
};
constexpr Command kXgroup[] = {
    {"create", -5, kWrite | kDenyOom, xgroup_create, {}, 2, 2, 1, "xgroup|create"},
    {"createconsumer", 5, kWrite | kDenyOom, xgroup_createconsumer, {}, 2, 2, 1, "xgroup|createconsumer"},
    {"delconsumer", 5, kWrite, xgroup_delconsumer, {}, 2, 2, 1, "xgroup|delconsumer"},
    {"destroy", 4, kWrite, xgroup_destroy, {}, 2, 2, 1, "xgroup|destroy"},
    {"help", 2, kFast, help, {}, 0, 0, 0, "xgroup|help"},
    {"setid", -5, kWrite, xgroup_setid, {}, 2, 2, 1, "xgroup|setid"},
};
constexpr Command kXinfo[] = {
    {"consumers", 4, kRead, xinfo_consumers, {}, 2, 2, 1, "xinfo|consumers"},
    {"groups", 3, kRead, xinfo_groups, {}, 2, 2, 1, "xinfo|groups"},
    {"help", 2, kFast, help, {}, 0, 0, 0, "xinfo|help"},
    {"stream", -3, kRead, xinfo_stream, {}, 2, 2, 1, "xinfo|stream"},
};

// name, arity with the name (negative: at least), flags, function, subcommands, first key, last key, key step
constexpr Command kTable[] = {
    {"auth", -2, kFast, auth},
    {"bgsave", -1, 0, bgsave},
    {"client", -2, 0, nullptr, kClient},
    {"command", -1, 0, command, kCommand},
    {"dbsize", 1, kRead | kFast, dbsize},
    {"decr", 2, kDenyOom | kFast, decr, {}, 1, 1, 1},
    {"decrby", 3, kDenyOom | kFast, decrby, {}, 1, 1, 1},
    {"del", -2, kWrite, del, {}, 1, -1, 1},
    {"discard", 1, kFast | kUnqueued, discard},
    {"echo", 2, kFast, echo},
    {"exec", 1, kUnqueued, exec},
    {"exists", -2, kRead | kFast, exists, {}, 1, -1, 1},
    {"expire", -3, kWrite | kFast, expire, {}, 1, 1, 1},
    {"flushall", -1, 0, flush_refused},
    {"flushdb", -1, 0, flush_refused},
    {"get", 2, kRead | kFast, get, {}, 1, 1, 1},
    {"hello", -1, kFast, hello},
    {"incr", 2, kDenyOom | kFast, incr, {}, 1, 1, 1},
    {"incrby", 3, kDenyOom | kFast, incrby, {}, 1, 1, 1},
    {"info", -1, 0, info},
    {"keys", 2, kRead, keys},
    {"lastsave", 1, kFast, lastsave},
    {"multi", 1, kFast | kUnqueued, multi},
    {"persist", 2, kWrite | kFast, persist, {}, 1, 1, 1},
    {"pexpire", -3, kWrite | kFast, pexpire, {}, 1, 1, 1},
    {"ping", -1, kFast | kPubSub, ping},
    {"psubscribe", -2, kPubSub, psubscribe},
    {"pttl", 2, kRead | kFast, pttl, {}, 1, 1, 1},
    {"publish", 3, kFast, publish},
    {"pubsub", -2, 0, nullptr, kPubSubCommands},
    {"punsubscribe", -1, kPubSub, punsubscribe},
    {"quit", -1, kFast | kPubSub | kUnqueued, quit},
    {"reset", 1, kFast | kPubSub | kUnqueued, reset},
    {"select", 2, kFast, select},
    {"set", -3, kDenyOom, set, {}, 1, 1, 1},
    {"subscribe", -2, kPubSub, subscribe},
    {"time", 1, kFast, commands::time},
    {"ttl", 2, kRead | kFast, ttl, {}, 1, 1, 1},
    {"type", 2, kRead | kFast, type, {}, 1, 1, 1},
    {"unlink", -2, kWrite | kFast, del, {}, 1, -1, 1},
    {"unsubscribe", -1, kPubSub, unsubscribe},
    {"unwatch", 1, kFast, unwatch},
    {"watch", -2, kFast | kUnqueued, watch, {}, 1, -1, 1},
    {"xack", -4, kWrite | kFast, xack, {}, 1, 1, 1},
    {"xadd", -5, kWrite | kDenyOom | kFast, xadd, {}, 1, 1, 1},
    {"xautoclaim", -6, kWrite | kFast, xautoclaim, {}, 1, 1, 1},
    {"xclaim", -6, kWrite | kFast, xclaim, {}, 1, 1, 1},
    {"xdel", -3, kWrite | kFast, xdel, {}, 1, 1, 1},
    {"xgroup", -2, 0, nullptr, kXgroup},
    {"xinfo", -2, 0, nullptr, kXinfo},
    {"xlen", 2, kRead | kFast, xlen, {}, 1, 1, 1},
    {"xpending", -3, kRead, xpending, {}, 1, 1, 1},
    {"xrange", -4, kRead, xrange, {}, 1, 1, 1},
    {"xread", -4, kRead | kBlocking, xread},
    {"xreadgroup", -7, kWrite | kBlocking, xreadgroup},
    {"xrevrange", -4, kRead, xrevrange, {}, 1, 1, 1},
    {"xsetid", -3, kWrite | kDenyOom | kFast, xsetid, {}, 1, 1, 1},
    {"xtrim", -4, kWrite, xtrim, {}, 1, 1, 1},
};

static_assert(std::ranges::is_sorted(kTable, {}, &Command::name));
static_assert(std::ranges::is_sorted(kXgroup, {}, &Command::name));
static_assert(std::ranges::is_sorted(kXinfo, {}, &Command::name));
static_assert(std::ranges::is_sorted(kClient, {}, &Command::name));
static_assert(std::ranges::is_sorted(kCommand, {}, &Command::name));
static_assert(std::ranges::is_sorted(kPubSubCommands, {}, &Command::name));

} // namespace

std::span<const Command> command_table() { return kTable; }

} // namespace flotilla::hub
