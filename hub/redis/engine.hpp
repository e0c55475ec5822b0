#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/redis/keyspace.hpp"
#include "hub/redis/pubsub.hpp"
#include "hub/redis/reply.hpp"
#include "hub/redis/session.hpp"
#include "hub/redis/watched_keys.hpp"

namespace flotilla::hub {

/// Bounds of what is queued for clients.
struct EngineLimits {
    std::size_t subscriber_output_bytes_max = 32 * 1024 * 1024; ///< a slower subscriber is disconnected
    std::size_t output_bytes_max = 256 * 1024 * 1024;     ///< the same for a client that reads its replies too slowly
    std::size_t transaction_bytes_max = 64 * 1024 * 1024; ///< what a client has queued after MULTI, and watches
    std::size_t all_transactions_bytes_max = 256 * 1024 * 1024; ///< the same of all clients together
};

/// BGSAVE: a copy of the journal, made by whoever owns the engine.
struct Saving {
    bool wanted = false; ///< from the command until the copy is complete or has failed
    bool begun = false;
    bool failed = false;      ///< the last one
    std::int64_t last_ms = 0; ///< when the last good one ended; at first, the start
};

/// The Redis commands over a keyspace: takes parsed commands, writes replies into sessions. It works in turns: execute
/// any number of commands, commit(), then send what take_touched() lists. No I/O of its own (the keyspace's journal
/// writes in commit()), no clock but the one given. Thread-safety: none; lives on the loop of the bus.
/// Wording and behaviour follow Redis 7.0; hub_test compares with Debian's redis-server byte for byte.
class Engine {
public:
    using Clock = std::function<std::int64_t()>; ///< wall clock, milliseconds

    Engine(Keyspace& keyspace, Clock now_ms, EngineLimits limits = {});
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Every session is connected before its first command and disconnected before it ends.
    void connect(Session& session);
    void disconnect(Session& session);
    /// Takes the session out of everything that could send to it; what is in its output may still leave.
    void leave(Session& session);
    /// Ends a session that does not speak the protocol, with an error reply.
    void refuse(Session& session, std::string_view error);
    /// Requires: not session.blocked. Arguments start with the command's name.
    void execute(Session& session, std::span<const std::string_view> arguments);
    /// The time of a blocked read is over.
    void time_out(Session& session);

    static constexpr std::string_view kMemoryLost = "memory_lost";
    /// Makes the turn's changes durable. On an error nothing of the turn is: memory is read back from the journal, and
    /// whoever has output in this turn must be disconnected, since its replies are not true. Code kMemoryLost: reading
    /// back failed, too.
    Result<void> commit();
    /// From now on what would change streams is refused with MISCONF and the reason, as Redis words it, and streams
    /// whose time has come stay. Empty: no more.
    void refuse_writes(std::string reason) { write_refusal_ = std::move(reason); }
    /// The error of a command that would change streams now; empty: it may.
    std::string write_refusal() const;

    /// How many sessions have been answered since take_touched().
    std::size_t touched_sessions() const { return touched_.size(); }
    /// Sessions with new output since the last call, each once.
    std::vector<Session*> take_touched();
    /// Sessions whose blocked read ended since the last call: their further commands can be executed.
    std::vector<Session*> take_unblocked();

    // ---- for the commands ----
    Keyspace& keyspace() { return keyspace_; }
    PubSub& pubsub() { return pubsub_; }
    std::int64_t now_ms() const { return now_ms_(); }
    const std::map<std::uint64_t, Session*>& sessions() const { return sessions_; }
    std::uint64_t commands_executed() const { return commands_; }
    Saving& saving() { return saving_; }
    std::int64_t started_ms() const { return started_ms_; }
    /// Puts the session to sleep until one of its sources has entries.
    void block(Session& session, BlockedRead read);
    std::size_t blocked_sessions() const { return blocked_count_; }
    /// To be called when a stream got entries, lost a group, or a key has gone or changed its type: serves who waits.
    void signal(std::string_view key);
    /// False: there is no room for them, and none is watched that was not before.
    bool watch(Session& session, std::span<const std::string_view> keys);
    /// Requires: the session is not between MULTI and EXEC.
    void unwatch(Session& session);
    /// Forgets what MULTI and WATCH began.
    void discard_transaction(Session& session);
    /// Runs what has been queued, as one: nothing of other clients comes between, and one commit makes it durable.
    /// (Strings live in memory; they keep what they got when that commit fails.) Writes all replies, or why nothing was
    /// run.
    void run_transaction(Session& session, std::int64_t now_ms);
    /// The session owes more output than it may: it is disconnected after the command.
    bool owes_too_much(const Session& session) const;
    /// Appends an out-of-band message; disconnects who does not take them.
    void push(Session& session, std::span<const std::string_view> items);

private:
    std::string refusal_of(const Session& session, const Command& command) const;
    void queue(Session& session, const Command& command, std::span<const std::string_view> arguments);
    bool reserve(Session& session, std::size_t bytes);
    void signal_expired(std::int64_t now_ms);
    void expire_keys(std::int64_t now_ms);
    void touch(Session& session);
    void refuse_command(Session& session, std::string_view name, std::string_view error);
    void serve_signalled();
    void serve(const std::string& key);
    bool serve_one(Session& session, const std::string& key);
    void unblock(Session& session);
    void enforce_output_limit(Session& session);

    Keyspace& keyspace_;
    Clock now_ms_;
    EngineLimits limits_;
    PubSub pubsub_;
    WatchedKeys watched_keys_;
    std::size_t queued_bytes_ = 0;
    std::map<std::uint64_t, Session*> sessions_;
    std::uint64_t last_session_ = 0;
    std::uint64_t commands_ = 0;
    std::int64_t started_ms_;
    std::string write_refusal_;
    Saving saving_;
    std::vector<Session*> touched_;
    std::vector<Session*> unblocked_;
    std::vector<std::string> signalled_;
    std::size_t blocked_count_ = 0;
    /// Who waits on a key, first come first.
    std::unordered_map<std::string, std::vector<Session*>, TextHash, std::equal_to<>> waiting_;
};

} // namespace flotilla::hub
