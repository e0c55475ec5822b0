#pragma once

#include "hub/redis/command.hpp"

/// The commands, one function each, grouped by file. Semantics and wording: https://redis.io/docs/latest/commands/.
/// The table (command_table.cpp) says how many arguments each takes; a function is called with the right number only.
namespace flotilla::hub::commands {

// connection_commands.cpp
void ping(Call&);
void echo(Call&);
void hello(Call&);
void auth(Call&);
void select(Call&);
void quit(Call&);
void reset(Call&);
void client_id(Call&);
void client_getname(Call&);
void client_setname(Call&);
void client_setinfo(Call&);
void client_info(Call&);
void client_list(Call&);

// transaction_commands.cpp
void multi(Call&);
void exec(Call&);
void discard(Call&);
void watch(Call&);
void unwatch(Call&);

// server_commands.cpp
void info(Call&);
void command(Call&);
void command_count(Call&);
void command_docs(Call&);
void command_info(Call&);
void command_list(Call&);
void dbsize(Call&);
void bgsave(Call&);
void lastsave(Call&);
void time(Call&);
void flush_refused(Call&);
void help(Call&);

// key_commands.cpp
void type(Call&);
void exists(Call&);
void del(Call&);
void keys(Call&);
void expire(Call&);
void pexpire(Call&);
void ttl(Call&);
void pttl(Call&);
void persist(Call&);

// string_commands.cpp
void set(Call&);
void get(Call&);
void incr(Call&);
void incrby(Call&);
void decr(Call&);
void decrby(Call&);

// stream_commands.cpp
void xadd(Call&);
void xlen(Call&);
void xrange(Call&);
void xrevrange(Call&);
void xdel(Call&);
void xtrim(Call&);
void xsetid(Call&);

// stream_read_commands.cpp
void xread(Call&);
void xreadgroup(Call&);

// group_commands.cpp
void xgroup_create(Call&);
void xgroup_setid(Call&);
void xgroup_destroy(Call&);
void xgroup_createconsumer(Call&);
void xgroup_delconsumer(Call&);
void xack(Call&);

// pending_commands.cpp
void xpending(Call&);
void xclaim(Call&);
void xautoclaim(Call&);

// stream_info_commands.cpp
void xinfo_stream(Call&);
void xinfo_groups(Call&);
void xinfo_consumers(Call&);

// pubsub_commands.cpp
void publish(Call&);
void subscribe(Call&);
void unsubscribe(Call&);
void psubscribe(Call&);
void punsubscribe(Call&);
void pubsub_channels(Call&);
void pubsub_numsub(Call&);
void pubsub_numpat(Call&);

} // namespace flotilla::hub::commands
