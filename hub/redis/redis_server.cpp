#include "hub/redis/redis_server.hpp"

#include <algorithm>
#include <array>

#include <flotilla/base/ascii.hpp>

namespace flotilla::hub {

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kKeptBufferBytes = 64 * 1024;
constexpr int kLooksMax = 8; // for more commands, before a commit: clients that never pause must not put it off

constexpr std::array kGroupBounds{1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0};
constexpr std::array kCommitBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0};

/// The protocol of a client that was led here by somebody else, as a page in a browser leads it to any port of this
/// machine: the rest of what it sends may be commands that the page wrote. Empty: none that is known. HTTP is found at
/// the words where Redis 7 finds it; a TLS handshake carries names and tickets that a server chose.
std::string_view foreign_protocol(std::string_view word) {
    if (equal_ignoring_case(word, "post") || equal_ignoring_case(word, "host:")) return "HTTP";
    if (word.starts_with("\x16\x03")) return "TLS";
    return {};
}

} // namespace

RedisMetrics::RedisMetrics(Metrics& metrics)
    : commands(metrics.counter("hub_bus_commands_total", "Commands executed by the bus.")),
      commits(metrics.counter("hub_bus_commits_total", "Commits of the bus that changed something.")),
      failed_commits(metrics.counter("hub_bus_failed_commits_total", "Commits that failed: disk full or broken.")),
      commit_duration(
          metrics.histogram("hub_bus_commit_duration_seconds", "How long a commit takes.", {}, kCommitBounds)),
      commands_per_commit(
          metrics.histogram("hub_bus_commands_per_commit", "Commands that share one commit.", {}, kGroupBounds)),
      refusing_writes(metrics.gauge("hub_bus_refusing_writes", "1 while writes are refused because a commit failed.")),
      clients(metrics.gauge("hub_bus_clients", "Clients connected to the bus.")),
      blocked_clients(metrics.gauge("hub_bus_blocked_clients", "Clients that wait for events in a blocking command.")),
      output_bytes(metrics.gauge("hub_bus_output_bytes", "Replies and events that clients have not taken yet.")),
      memory_bytes(metrics.gauge("hub_bus_memory_bytes", "Memory of what the bus keeps, approximately.")) {}

/// One client: its session, its stream, and the output that is allowed to leave.
struct RedisServer::Connection : Session {
    RedisServer& server;
    std::unique_ptr<Stream> stream;
    Context reading; ///< cancelled to end the read side
    resp::CommandParser parser;
    std::string ready;   ///< committed, not being written yet
    std::string sending; ///< being written
    Event writable;      ///< there is something to write, or an end
    Event progress;      ///< output left or a blocked read ended: reading may go on
    Timer block_timer;
    bool draining = false; ///< nothing more is read or executed
    bool stalled = false;  ///< commands wait in the parser until output has left

    Connection(RedisServer& owner, Context& context, std::unique_ptr<Stream> connected)
        : server(owner), stream(std::move(connected)), reading(context), parser(owner.options_.limits),
          block_timer(owner.world_, &Connection::on_block_timeout, this) {
        peer = stream->peer().to_string();
    }

    static void on_block_timeout(void* self) {
        auto& connection = *static_cast<Connection*>(self);
        connection.server.engine_.time_out(connection);
        connection.server.schedule_turn_end();
    }
    bool output_paused() const { return output.size() + unsent_bytes >= server.options_.paused_output_bytes; }
    bool input_overflowed() const { return blocked && parser.pending() >= server.options_.blocked_input_bytes; }
};

RedisServer::RedisServer(World& world, Engine& engine, Logger logger, RedisMetrics& metrics,
                         std::function<void()> on_lost, RedisServerOptions options)
    : world_(world), engine_(engine), logger_(std::move(logger)), metrics_(metrics), on_lost_(std::move(on_lost)),
      options_(options), retry_(world, &RedisServer::on_retry, this) {}

RedisServer::~RedisServer() { *alive_ = false; }

Result<Address> RedisServer::listen(const Address& address) {
    auto listener = world_.listen(address);
    if (!listener) return std::move(listener.error());
    listener_ = std::move(*listener);
    return listener_->local();
}

task<void> RedisServer::run(Context& context) {
    Scope scope(context);
    co_await accept(scope.context(), scope);
    co_await scope.join();
}

task<void> RedisServer::accept(Context& context, Scope& scope) {
    while (!stopping_) {
        auto stream = co_await listener_->accept(context);
        if (!stream) co_return; // stopped
        if (connections_.size() >= options_.clients_max) {
            scope.spawn(refuse(context, std::move(*stream)));
        } else {
            scope.spawn(serve(context, std::move(*stream)));
        }
    }
}

task<void> RedisServer::refuse(Context& context, std::unique_ptr<Stream> stream) {
    Context limited(context, std::chrono::seconds(1));
    // Whether it hears why or not, it is refused.
    (void)co_await stream->write(limited, "-ERR max number of clients reached\r\n");
    stream->close();
}

task<void> RedisServer::serve(Context& context, std::unique_ptr<Stream> stream) {
    Connection connection(*this, context, std::move(stream));
    connections_.insert(&connection);
    engine_.connect(connection);
    metrics_.clients.set(static_cast<std::int64_t>(connections_.size()));
    {
        Scope scope(context);
        scope.spawn(write(scope.context(), connection));
        co_await read(connection.reading, connection);
        connection.draining = true;
        connection.block_timer.disarm();
        engine_.leave(connection);
        connection.writable.notify();
        co_await scope.join();
    }
    engine_.disconnect(connection);
    connections_.erase(&connection);
    metrics_.clients.set(static_cast<std::int64_t>(connections_.size()));
}

task<void> RedisServer::read(Context& context, Connection& connection) {
    std::vector<char> buffer(kReadBytes);
    while (!connection.close_after_reply && !connection.overflowed && !stopping_) {
        if (connection.input_overflowed()) { // not left unread: nobody would see that it has gone
            logger_.warning("a client sent too much behind a blocking command and is disconnected",
                            {{"peer", connection.peer}});
            co_return;
        }
        if (connection.output_paused()) {
            if (auto woken = co_await connection.progress.wait(context); !woken) co_return;
            continue;
        }
        auto bytes = co_await connection.stream->read(context, buffer);
        if (!bytes || *bytes == 0) co_return;
        connection.parser.feed(std::string_view(buffer.data(), *bytes));
        process(connection);
    }
}

/// Executes what the client has sent, as far as it may go on.
void RedisServer::process(Connection& connection) {
    connection.stalled = false;
    while (!connection.blocked && !connection.draining && !connection.close_after_reply && !connection.overflowed) {
        if (connection.output_paused()) {
            connection.stalled = true;
            break;
        }
        auto command = connection.parser.next();
        if (!command) {
            engine_.refuse(connection, "ERR " + command.error().message());
            break;
        }
        if (!*command) break;
        if (const auto protocol = foreign_protocol((*command)->front()); !protocol.empty()) {
            abort_foreign(connection, protocol);
            break;
        }
        engine_.execute(connection, **command);
    }
    if (connection.blocked) arm_block_timer(connection);
    schedule_turn_end();
}

/// As Redis: no answer, not even to the commands before in this turn, and nothing after it is looked at.
void RedisServer::abort_foreign(Connection& connection, std::string_view protocol) {
    connection.output.clear();
    connection.close_after_reply = true;
    suspicions_.warn(
        "possible SECURITY ATTACK: a client of the bus speaks another protocol, as a page in a browser can be "
        "made to do; its connection was closed and what followed was not executed",
        {{"protocol", protocol}, {"peer", connection.peer}});
}

void RedisServer::arm_block_timer(Connection& connection) {
    if (connection.blocked->until_ms == 0 || connection.block_timer.armed()) return;
    const auto left = std::chrono::milliseconds(connection.blocked->until_ms - engine_.now_ms());
    connection.block_timer.arm(world_.monotonic() + std::max<Duration>(left, Duration::zero()));
}

/// The end of a turn comes behind everything the loop has ready now: that is what shares a commit.
void RedisServer::schedule_turn_end() {
    if (turn_scheduled_) return;
    turn_scheduled_ = true;
    world_.post([this, alive = alive_] {
        if (*alive) end_turn();
    });
}

void RedisServer::resume_unblocked() {
    for (;;) {
        const auto unblocked = engine_.take_unblocked();
        if (unblocked.empty()) return;
        for (Session* session : unblocked) {
            auto& connection = static_cast<Connection&>(*session);
            connection.block_timer.disarm();
            process(connection);
        }
    }
}

/// Whether to look at the sockets once more before the commit: the last look brought something, and there are clients
/// that could still send. A look that brings nothing costs an epoll_wait, a commit for half of the clients a disk
/// write.
bool RedisServer::more_may_have_come() {
    const std::uint64_t commands = engine_.commands_executed();
    const bool brought_some = commands != std::exchange(commands_at_last_look_, commands);
    const std::size_t heard = engine_.touched_sessions() + engine_.blocked_sessions();
    return brought_some && heard < connections_.size() && looks_ < kLooksMax && engine_.keyspace().has_changes();
}

void RedisServer::end_turn() {
    resume_unblocked();
    if (!stopping_ && more_may_have_come()) {
        ++looks_;
        turn_scheduled_ = false;
        return schedule_turn_end();
    }
    commit_turn();
}

void RedisServer::commit_turn() {
    looks_ = 0;
    turn_scheduled_ = false;
    const std::uint64_t commands = engine_.commands_executed() - commands_before_turn_;
    commands_before_turn_ = engine_.commands_executed();
    metrics_.commands.add(commands);
    const bool changed = engine_.keyspace().has_changes();
    const Timestamp started = world_.now();
    auto committed = engine_.commit();
    if (!committed) return commit_failed(committed.error(), engine_.take_touched());
    if (changed) {
        metrics_.commits.add();
        metrics_.commit_duration.observe(world_.now() - started);
        metrics_.commands_per_commit.observe(static_cast<double>(commands));
        metrics_.memory_bytes.set(static_cast<std::int64_t>(engine_.keyspace().used_bytes()));
    }
    release(engine_.take_touched());
    if (auto tidied = engine_.keyspace().tidy(); !tidied) {
        logger_.warning("the bus could not move its write-ahead log into its file: the log grows until it can",
                        {{"error", tidied.error().message()}});
    }
    if (engine_.saving().wanted) schedule_saving();
}

/// A copy of the journal is made in pieces between turns, so that nobody waits for all of it.
void RedisServer::schedule_saving() {
    if (std::exchange(saving_scheduled_, true)) return;
    world_.post([this, alive = alive_] {
        if (*alive) save_some();
    });
}

void RedisServer::save_some() {
    saving_scheduled_ = false;
    Saving& saving = engine_.saving();
    if (!saving.wanted || stopping_) return;
    if (engine_.keyspace().has_changes()) return; // the turn they are of goes on with it
    if (!std::exchange(saving.begun, true)) {
        if (auto begun = engine_.keyspace().begin_copy(); !begun) return saved(std::move(begun.error()));
    }
    auto copied = engine_.keyspace().copy_some();
    if (copied && !*copied) return schedule_saving();
    saved(copied);
}

void RedisServer::saved(const Result<bool>& outcome) {
    Saving& saving = engine_.saving();
    saving = {.failed = !outcome, .last_ms = outcome ? engine_.now_ms() : saving.last_ms};
    if (!outcome) logger_.error("the bus could not be saved", {{"error", outcome.error().message()}});
}

/// Lets committed output leave: at once where the client takes it, which is nearly always; the rest is for its writer,
/// which runs later. No command is executed here: its output would belong to the next turn.
void RedisServer::release(const std::vector<Session*>& sessions) {
    for (Session* session : sessions) {
        auto& connection = static_cast<Connection&>(*session);
        if (send_at_once(connection)) continue;
        if (connection.ready.empty()) { // a large reply is not copied
            std::swap(connection.ready, connection.output);
        } else {
            connection.ready += connection.output;
            connection.output.clear();
            if (connection.output.capacity() > kKeptBufferBytes) connection.output.shrink_to_fit();
        }
        connection.unsent_bytes = connection.ready.size() + connection.sending.size();
        if (connection.overflowed) {
            logger_.warning("a client did not take its output and is disconnected", {{"peer", connection.peer}});
            connection.stream->close();
        }
        connection.writable.notify();
    }
}

/// True when everything has left and nobody need be woken.
bool RedisServer::send_at_once(Connection& connection) {
    if (connection.overflowed || connection.unsent_bytes > 0) return false;
    if (!connection.output.empty()) {
        const std::size_t sent = connection.stream->write_now(connection.output);
        if (sent < connection.output.size()) {
            connection.output.erase(0, sent);
            return false;
        }
        connection.output.clear();
        if (connection.output.capacity() > kKeptBufferBytes) connection.output.shrink_to_fit();
    }
    connection.progress.notify();
    return !connection.stalled && !connection.draining && !connection.close_after_reply;
}

void RedisServer::commit_failed(const Error& error, const std::vector<Session*>& sessions) {
    metrics_.failed_commits.add();
    metrics_.refusing_writes.set(1);
    logger_.error("the bus could not write; the clients of this turn are disconnected", {{"error", error.message()}});
    engine_.refuse_writes(error.message());
    for (Session* session : sessions) {
        auto& connection = static_cast<Connection&>(*session);
        connection.output.clear();
        connection.overflowed = true;
        connection.stream->close();
        connection.writable.notify();
    }
    if (error.code() != Engine::kMemoryLost) return retry_.arm(world_.monotonic() + options_.retry_after_failure);
    stop(); // what memory holds is not what was acknowledged
    on_lost_();
}

/// Not a client's write is the trial: it would cost all clients of its turn their connections.
void RedisServer::on_retry(void* self) {
    auto& server = *static_cast<RedisServer*>(self);
    if (!server.engine_.keyspace().probe()) { // its reason was logged with the commit that failed
        return server.retry_.arm(server.world_.monotonic() + server.options_.retry_after_failure);
    }
    server.engine_.refuse_writes("");
    server.metrics_.refusing_writes.set(0);
    server.logger_.info("the bus can write again", {});
}

void RedisServer::publish_backlog() const {
    std::int64_t blocked = 0;
    std::size_t output = 0;
    for (const Connection* connection : connections_) {
        if (connection->blocked) ++blocked;
        output += connection->output.size() + connection->ready.size() + connection->sending.size();
    }
    metrics_.blocked_clients.set(blocked);
    metrics_.output_bytes.set(static_cast<std::int64_t>(output));
}

task<void> RedisServer::write(Context& context, Connection& connection) {
    while (!connection.overflowed) {
        if (connection.ready.empty()) {
            if (connection.stalled && !connection.output_paused()) process(connection);
            const bool ended = connection.draining || connection.close_after_reply;
            if (ended && connection.output.empty()) break;
            if (auto woken = co_await connection.writable.wait(context); !woken) break;
            continue;
        }
        std::swap(connection.sending, connection.ready);
        Context limited(context, options_.write_timeout);
        auto written = co_await connection.stream->write(limited, connection.sending);
        connection.sending.clear();
        if (connection.sending.capacity() > kKeptBufferBytes) connection.sending.shrink_to_fit();
        connection.unsent_bytes = connection.ready.size();
        if (!written) break;
        connection.progress.notify();
    }
    connection.stream->close();
    // Nothing will leave any more: read() may wait for that, or for what a client that is gone sends.
    connection.reading.cancel(Error(Kind::unavailable, "the connection has ended"));
}

void RedisServer::stop() {
    stopping_ = true;
    retry_.disarm();
    listener_->close();
    resume_unblocked();
    commit_turn();
    const std::vector<Connection*> connections(connections_.begin(), connections_.end());
    for (Connection* connection : connections)
        connection->reading.cancel(Error(Kind::unavailable, "the bus is shutting down"));
}

} // namespace flotilla::hub
