#pragma once

#include <functional>
#include <memory>
#include <unordered_set>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/stream.hpp>
#include <flotilla/bus/redis/resp.hpp>
#include <flotilla/observe/log.hpp>
#include <flotilla/observe/metrics.hpp>

#include "hub/redis/engine.hpp"
#include "hub/suspicion_log.hpp"

namespace flotilla::hub {

/// What the server counts.
struct RedisMetrics {
    explicit RedisMetrics(Metrics& metrics);
    Counter& commands;
    Counter& commits;
    Counter& failed_commits;
    Histogram& commit_duration;
    Histogram& commands_per_commit;
    Gauge& refusing_writes;
    Gauge& clients;
    Gauge& blocked_clients;
    Gauge& output_bytes;
    Gauge& memory_bytes;
};

struct RedisServerOptions {
    std::size_t clients_max = 10'000;
    std::size_t paused_output_bytes = 1024 * 1024; ///< a client that owes so much reading is not read from
    std::size_t blocked_input_bytes = 1024 * 1024; ///< one that waits and has sent so much meanwhile is disconnected
    Duration write_timeout = std::chrono::seconds(60);
    Duration retry_after_failure = std::chrono::seconds(1); ///< between trials to write after a failed commit
    resp::Limits limits = {};
};

/// Serves the Redis protocol over streams. It works in turns, as Redis does with `appendfsync always`: commands that
/// arrive together are executed, then there is one commit, and only then do the replies leave. Together is what arrived
/// in one wake-up of the loop and what arrived while that was executed: clients that were answered together come back
/// within that time, and without a second look they would fall apart into two groups that wait for each other's commit.
/// When a commit fails, the clients with replies in that turn are disconnected (what they were told did not happen) and
/// writes are refused until a trial of the server's own can be written. A client that speaks HTTP or TLS is cut off at
/// the first sign of it, before anything else that it sent is executed. Thread-safety: none; belongs to its loop.
class RedisServer {
public:
    /// `on_lost`: called when a failed commit could not be undone either; the process must end.
    RedisServer(World& world, Engine& engine, Logger logger, RedisMetrics& metrics, std::function<void()> on_lost,
                RedisServerOptions options = {});
    RedisServer(const RedisServer&) = delete;
    RedisServer& operator=(const RedisServer&) = delete;
    ~RedisServer();

    Result<Address> listen(const Address& address);
    /// Serves until stop(), and until the last client has gone.
    task<void> run(Context& context);
    /// Stops accepting and reading; replies to what was read still leave.
    void stop();
    std::size_t clients() const { return connections_.size(); }
    /// Sets the gauges of what clients wait for and of what waits for them. Walks all clients: not for every turn.
    void publish_backlog() const;

private:
    struct Connection;

    task<void> accept(Context& context, Scope& scope);
    task<void> serve(Context& context, std::unique_ptr<Stream> stream);
    task<void> refuse(Context& context, std::unique_ptr<Stream> stream);
    task<void> read(Context& context, Connection& connection);
    task<void> write(Context& context, Connection& connection);
    void process(Connection& connection);
    void abort_foreign(Connection& connection, std::string_view protocol);
    void arm_block_timer(Connection& connection);
    void schedule_turn_end();
    bool more_may_have_come();
    void end_turn();
    void commit_turn();
    void resume_unblocked();
    void release(const std::vector<Session*>& sessions);
    static bool send_at_once(Connection& connection);
    void schedule_saving();
    void save_some();
    void saved(const Result<bool>& outcome);
    static void on_retry(void* self);
    void commit_failed(const Error& error, const std::vector<Session*>& sessions);

    World& world_;
    Engine& engine_;
    Logger logger_;
    SuspicionLog suspicions_{world_, logger_};
    RedisMetrics& metrics_;
    std::function<void()> on_lost_;
    RedisServerOptions options_;
    std::unique_ptr<Listener> listener_;
    std::unordered_set<Connection*> connections_;
    bool stopping_ = false;
    bool turn_scheduled_ = false;
    bool saving_scheduled_ = false;
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true); ///< false once destroyed: a scheduled turn end does nothing
    std::uint64_t commands_before_turn_ = 0;
    std::uint64_t commands_at_last_look_ = 0;
    int looks_ = 0; ///< of this turn, for more commands
    Timer retry_;   ///< armed while writes are refused
};

} // namespace flotilla::hub
