#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hub/redis/entry_id.hpp"

namespace flotilla::hub {

struct Command;

/// An XREAD or XREADGROUP that waits for entries.
struct BlockedRead {
    struct Source {
        std::string key;
        EntryId after; ///< for XREAD; XREADGROUP goes on from the group's position
    };
    std::vector<Source> sources;
    bool in_group = false;
    std::string group;
    std::string consumer;
    std::size_t count = 0;
    bool no_acknowledge = false;
    std::int64_t until_ms = 0; ///< wall clock; 0: for ever
};

/// What stands between MULTI and EXEC, and what WATCH asked for before.
struct QueuedTransaction {
    struct Queued {
        const Command* command;
        std::vector<std::string> arguments;
    };
    bool open = false;    ///< after MULTI
    bool refused = false; ///< a command could not be queued: EXEC fails
    bool stale = false;   ///< a watched key has changed: EXEC does nothing
    bool running = false; ///< EXEC is at it: nothing waits
    std::vector<Queued> commands;
    std::set<std::string, std::less<>> watched;
    std::size_t bytes = 0; ///< of both, approximately
};

/// What the bus knows of one client. Output collects replies and pushes of the current turn.
struct Session {
    std::uint64_t id = 0; ///< given by Engine::connect
    std::string peer;
    std::int64_t connected_ms = 0;
    std::string name;
    std::string library_name;
    std::string library_version;
    int protocol = 2;

    std::string output;
    std::size_t unsent_bytes = 0;   ///< committed output the client has not taken yet; kept by the server
    bool close_after_reply = false; ///< QUIT
    bool overflowed = false;        ///< did not take its output: to be disconnected
    bool touched = false;           ///< in Engine's list of sessions with output

    std::set<std::string, std::less<>> channels;
    std::set<std::string, std::less<>> patterns;
    std::unique_ptr<BlockedRead> blocked; ///< set: commands wait
    QueuedTransaction transaction;

    std::size_t subscriptions() const { return channels.size() + patterns.size(); }
};

} // namespace flotilla::hub
