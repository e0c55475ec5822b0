#include "hub/redis/engine.hpp"

#include <algorithm>

#include <flotilla/base/ascii.hpp>

#include "hub/redis/command.hpp"
#include "hub/redis/stream_reading.hpp"

namespace flotilla::hub {

namespace {

std::string unknown_command(std::span<const std::string_view> arguments) {
    std::string text =
        "ERR unknown command '" + std::string(arguments[0].substr(0, 128)) + "', with args beginning with: ";
    std::string shown;
    for (std::size_t i = 1; i < arguments.size() && shown.size() < 128; ++i) {
        shown += '\'' + std::string(arguments[i].substr(0, 128 - shown.size())) + "' ";
    }
    return text + shown;
}

std::string wrong_arity(const Command& command) {
    const std::string_view name = command.full_name.empty() ? command.name : command.full_name;
    return "ERR wrong number of arguments for '" + std::string(name) + "' command";
}

// What one of each costs beside its text, approximately.
constexpr std::size_t kQueuedCommandBytes = 100;
constexpr std::size_t kQueuedArgumentBytes = 40;
constexpr std::size_t kWatchedKeyBytes = 200;

/// What EXEC answers when nothing was run for that reason.
std::string aborted(std::string_view error) {
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    return "EXECABORT Transaction discarded because of: " + std::string(error);
}

bool arity_fits(const Command& command, std::size_t arguments) {
    const auto given = static_cast<int>(arguments);
    return command.arity >= 0 ? given == command.arity : given >= -command.arity;
}

struct Resolved {
    const Command* command = nullptr;
    std::string error = {}; ///< why there is none
};

/// The command or subcommand that the arguments name, with the right number of them.
Resolved resolve(std::span<const std::string_view> arguments) {
    const Command* command = find_command(command_table(), arguments[0]);
    if (!command) return {.error = unknown_command(arguments)};
    if (!command->subcommands.empty() && arguments.size() > 1) {
        command = find_command(command->subcommands, arguments[1]);
        if (!command) {
            return {.error = "ERR unknown subcommand '" + std::string(arguments[1].substr(0, 128)) + "'. Try " +
                             ascii_upper(arguments[0]) + " HELP."};
        }
    }
    if (!arity_fits(*command, arguments.size())) return {.error = wrong_arity(*command)};
    return {.command = command};
}

} // namespace

Engine::Engine(Keyspace& keyspace, Clock now_ms, EngineLimits limits)
    : keyspace_(keyspace), now_ms_(std::move(now_ms)), limits_(limits), watched_keys_(keyspace),
      started_ms_(now_ms_()) {
    saving_.last_ms = started_ms_;
}

void Engine::connect(Session& session) {
    session.id = ++last_session_;
    session.connected_ms = now_ms_();
    sessions_.emplace(session.id, &session);
}

void Engine::leave(Session& session) {
    if (session.blocked) unblock(session);
    pubsub_.forget(session);
    discard_transaction(session);
}

void Engine::refuse(Session& session, std::string_view error) {
    touch(session);
    Reply(session.output, session.protocol).error(error);
    session.close_after_reply = true;
}

void Engine::disconnect(Session& session) {
    leave(session);
    sessions_.erase(session.id);
    std::erase(touched_, &session);
    std::erase(unblocked_, &session);
}

void Engine::touch(Session& session) {
    if (session.touched) return;
    session.touched = true;
    touched_.push_back(&session);
}

std::vector<Session*> Engine::take_touched() {
    for (Session* session : touched_)
        session->touched = false;
    return std::exchange(touched_, {});
}

std::vector<Session*> Engine::take_unblocked() { return std::exchange(unblocked_, {}); }

void Engine::execute(Session& session, std::span<const std::string_view> arguments) {
    ++commands_;
    touch(session);
    const std::int64_t now_ms = now_ms_(); // read once: it is a command's only clock
    expire_keys(now_ms);
    const auto [command, unresolved] = resolve(arguments);
    if (!command) return refuse_command(session, arguments[0], unresolved);
    if (const auto refusal = refusal_of(session, *command); !refusal.empty())
        return refuse_command(session, arguments[0], refusal);
    if (session.transaction.open && !(command->flags & Command::kUnqueued)) return queue(session, *command, arguments);
    Reply reply(session.output, session.protocol);
    Call call{*this, session, *command, arguments, reply, now_ms};
    command->run(call);
    serve_signalled();
    enforce_output_limit(session);
}

/// An error of EXEC itself ends the transaction, one of another command makes EXEC refuse it.
void Engine::refuse_command(Session& session, std::string_view name, std::string_view error) {
    Reply reply(session.output, session.protocol);
    if (ascii_upper(name) == "EXEC") {
        discard_transaction(session);
        return reply.error(aborted(error));
    }
    session.transaction.refused = session.transaction.open;
    reply.error(error);
}

/// Why the command may not run now; empty: it may.
std::string Engine::refusal_of(const Session& session, const Command& command) const {
    if ((command.flags & Command::kDenyOom) && keyspace_.full()) return std::string(kOutOfMemory);
    if ((command.flags & Command::kWrite) && !write_refusal_.empty()) return write_refusal();
    if (session.protocol == 2 && session.subscriptions() > 0 && !(command.flags & Command::kPubSub)) {
        const std::string_view name = command.full_name.empty() ? command.name : command.full_name;
        return "ERR Can't execute '" + std::string(name) +
               "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    }
    return {};
}

std::string Engine::write_refusal() const {
    return write_refusal_.empty() ? std::string() : "MISCONF Errors writing to the AOF file: " + write_refusal_;
}

// ---- transactions ----

void Engine::queue(Session& session, const Command& command, std::span<const std::string_view> arguments) {
    Reply reply(session.output, session.protocol);
    if (session.transaction.refused || session.transaction.stale) return reply.simple("QUEUED"); // it will not run
    std::size_t bytes = kQueuedCommandBytes;
    for (const std::string_view argument : arguments)
        bytes += kQueuedArgumentBytes + argument.size();
    if (!reserve(session, bytes)) {
        session.transaction.refused = true;
        return reply.error(kOutOfMemory);
    }
    session.transaction.commands.push_back({&command, {arguments.begin(), arguments.end()}});
    reply.simple("QUEUED");
}

bool Engine::reserve(Session& session, std::size_t bytes) {
    if (session.transaction.bytes + bytes > limits_.transaction_bytes_max ||
        queued_bytes_ + bytes > limits_.all_transactions_bytes_max)
        return false;
    queued_bytes_ += bytes;
    session.transaction.bytes += bytes;
    return true;
}

bool Engine::watch(Session& session, std::span<const std::string_view> keys) {
    std::size_t bytes = 0;
    for (const std::string_view key : keys) {
        const bool known = session.transaction.watched.contains(key);
        if (!known) bytes += kWatchedKeyBytes + 2 * key.size(); // it stands there and in watched_keys_
    }
    if (!reserve(session, bytes)) return false;
    for (const std::string_view key : keys)
        watched_keys_.watch(session, key);
    return true;
}

void Engine::unwatch(Session& session) {
    watched_keys_.unwatch(session);
    queued_bytes_ -= std::exchange(session.transaction.bytes, 0); // after MULTI it is queued itself
}

void Engine::discard_transaction(Session& session) {
    watched_keys_.unwatch(session);
    queued_bytes_ -= session.transaction.bytes;
    session.transaction = {};
}

void Engine::run_transaction(Session& session, std::int64_t now_ms) {
    const auto commands = std::move(session.transaction.commands);
    discard_transaction(session);
    for (const auto& each : commands) {
        if (const auto refusal = refusal_of(session, *each.command); !refusal.empty()) {
            Reply(session.output, session.protocol).error(aborted(refusal));
            return;
        }
    }
    Reply(session.output, session.protocol).array(commands.size());
    session.transaction.running = true;
    for (const auto& each : commands) {
        const std::vector<std::string_view> arguments(each.arguments.begin(), each.arguments.end());
        Call call{*this, session, *each.command, arguments, Reply(session.output, session.protocol), now_ms};
        each.command->run(call);
        signal_expired(now_ms);        // a time to live in the past
        enforce_output_limit(session); // its end is not the transaction's
    }
    session.transaction.running = false;
}

/// While nothing can be written streams stay: else every turn had a change to commit, and failed.
void Engine::signal_expired(std::int64_t now_ms) {
    const auto which = write_refusal_.empty() ? Keyspace::Expire::everything : Keyspace::Expire::strings;
    for (const std::string& key : keyspace_.expire(now_ms, which))
        signal(key);
}

void Engine::expire_keys(std::int64_t now_ms) {
    signal_expired(now_ms);
    serve_signalled();
}

Result<void> Engine::commit() {
    auto committed = keyspace_.commit();
    if (committed) return {};
    if (auto loaded = keyspace_.load(); !loaded) {
        return Error(Kind::internal, std::string(kMemoryLost),
                     committed.error().message() + "; and reading back: " + loaded.error().message());
    }
    return committed;
}

// ---- waiting for entries ----

void Engine::block(Session& session, BlockedRead read) {
    if (session.transaction.running) return Reply(session.output, session.protocol).null_array();
    for (const auto& source : read.sources) {
        auto& waiting = waiting_[source.key];
        if (std::ranges::find(waiting, &session) == waiting.end()) waiting.push_back(&session);
    }
    session.blocked = std::make_unique<BlockedRead>(std::move(read));
    ++blocked_count_;
}

void Engine::unblock(Session& session) {
    for (const auto& source : session.blocked->sources) {
        const auto waiting = waiting_.find(source.key);
        if (waiting == waiting_.end()) continue; // listed twice
        std::erase(waiting->second, &session);
        if (waiting->second.empty()) waiting_.erase(waiting);
    }
    session.blocked.reset();
    --blocked_count_;
    unblocked_.push_back(&session);
}

void Engine::time_out(Session& session) {
    if (!session.blocked) return;
    Reply(session.output, session.protocol).null_array();
    touch(session);
    unblock(session);
}

void Engine::signal(std::string_view key) {
    if (waiting_.contains(key)) signalled_.emplace_back(key);
}

void Engine::serve_signalled() {
    while (!signalled_.empty()) {
        for (const std::string& key : std::exchange(signalled_, {}))
            serve(key);
    }
}

void Engine::serve(const std::string& key) {
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) return;
    const std::vector<Session*> waiting = found->second; // whoever is served leaves the list
    for (Session* session : waiting) {
        if (!session->blocked || !serve_one(*session, key)) continue;
        touch(*session);
        unblock(*session);
        enforce_output_limit(*session);
    }
}

/// True when the read has ended, with entries or with an error.
bool Engine::serve_one(Session& session, const std::string& key) {
    const BlockedRead& read = *session.blocked;
    const KeyValue* value = keyspace_.find(key);
    RedisStream* stream = value ? value->stream.get() : nullptr;
    Reply reply(session.output, session.protocol);
    if (!stream) {
        if (!read.in_group) return false;
        reply.error("UNBLOCKED the stream key no longer exists");
        return true;
    }
    ConsumerGroup* group = nullptr;
    EntryId after = std::ranges::find(read.sources, key, &BlockedRead::Source::key)->after;
    if (read.in_group) {
        group = stream->find(read.group);
        if (!group) {
            reply.error("NOGROUP the consumer group this client was blocked on no longer exists");
            return true;
        }
        after = group->last_id;
    }
    if (stream->last_id <= after) return false;
    const auto from = after.next().value_or(EntryId::max());
    if (session.protocol >= 3) {
        reply.map(1);
    } else {
        reply.array(1);
        reply.array(2);
    }
    reply.bulk(key);
    if (!group) {
        write_range(reply, *stream, from, EntryId::max(), read.count);
        return true;
    }
    Consumer& consumer = seen_consumer(keyspace_, *group, read.consumer, now_ms_());
    deliver(keyspace_, *stream, *group, consumer, {from, read.count, read.no_acknowledge, now_ms_()}, reply);
    return true;
}

// ---- output ----

void Engine::push(Session& session, std::span<const std::string_view> items) {
    if (session.overflowed) return;
    touch(session);
    resp::write_push(session.output, items.size(), session.protocol);
    for (const std::string_view item : items)
        resp::write_bulk(session.output, item);
    enforce_output_limit(session);
}

bool Engine::owes_too_much(const Session& session) const {
    const std::size_t limit =
        session.subscriptions() > 0 ? limits_.subscriber_output_bytes_max : limits_.output_bytes_max;
    return session.output.size() + session.unsent_bytes > limit;
}

void Engine::enforce_output_limit(Session& session) {
    if (!owes_too_much(session)) return;
    session.overflowed = true;
    session.output = {};
}

} // namespace flotilla::hub
