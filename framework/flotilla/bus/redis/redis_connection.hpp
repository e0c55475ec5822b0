#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/context.hpp>
#include <flotilla/aio/event.hpp>
#include <flotilla/aio/stream.hpp>
#include <flotilla/bus/redis/redis_target.hpp>
#include <flotilla/bus/redis/resp.hpp>

namespace flotilla {

/// Commands for a Redis server, RESP bytes and how many replies they get.
class RedisCommands {
public:
    RedisCommands() = default;
    explicit RedisCommands(std::initializer_list<std::string_view> arguments) { add(arguments); }
    void add(std::initializer_list<std::string_view> arguments) {
        resp::write_command(bytes_, arguments);
        ++count_;
    }
    void add(std::span<const std::string> arguments) {
        resp::write_command(bytes_, arguments);
        ++count_;
    }
    std::size_t count() const { return count_; }
    std::string& bytes() { return bytes_; }

private:
    std::string bytes_;
    std::size_t count_ = 0;
};

/// One connection to a Redis server, opened when first used and again after it broke (jittered backoff). Calls are
/// pipelined: those of all callers go out as they come and are answered in order. No background work: whoever waits for
/// a reply also writes and reads for the others, and hands over when it is done.
/// Thread-safety: none; lives on one loop. Requires: outlives its calls.
class RedisConnection {
public:
    using Replies = std::vector<resp::Value>;

    RedisConnection(World& world, RedisTarget target);
    ~RedisConnection();

    /// Sends the commands back to back; one reply for each, error replies included. When the context ends first, the
    /// commands may still be carried out.
    /// Errors: unavailable (cannot connect; the connection broke; no answer within `timeout`), the context's reason.
    task<Result<Replies>> call(Context& context, RedisCommands commands, Duration timeout = kTimeout);
    /// One command; an error reply is an Error, see redis_error().
    task<Result<resp::Value>> call_one(Context& context, RedisCommands command, Duration timeout = kTimeout);

    /// Drops the connection, so that replies nobody waits for any more cannot be taken for others'. Requires: no call
    /// in flight.
    void reset();
    /// ok, or why the last attempt to reach the server failed.
    Result<void> health() const;

    static constexpr Duration kTimeout = std::chrono::seconds(10);

private:
    struct Call;
    using Calls = std::deque<std::shared_ptr<Call>>;

    task<Result<void>> connect(Context& context);
    task<void> send(Context& context);
    task<Result<void>> send_all(Context& context);
    task<void> receive(Context& context);
    Result<void> dispatch();
    void fail(Calls calls, const Error& error);
    void broken(const std::shared_ptr<Stream>& stream, Error error);
    void abandon(Call& call);
    void pass_on();
    void drop_if_stale();

    World& world_;
    RedisTarget target_;
    std::shared_ptr<Stream> stream_;
    resp::Parser parser_;
    std::string read_buffer_;
    Calls unsent_;   // not yet written
    Calls expected_; // written (at least partly), in the order of their replies
    bool sending_ = false;
    bool receiving_ = false;
    Backoff backoff_;
    Instant retry_at_{};
    std::optional<Error> last_error_;
};

/// What an error reply means: unavailable `redis_<CODE>` for what may pass (OOM, LOADING, BUSY, a full stream, ...),
/// internal for a command the server does not understand (a bug, or not a Redis server).
Error redis_error(std::string_view text);

/// True when the reply says that the stream or its consumer group is gone: the server lost its data.
bool is_group_lost(const Error& error);

} // namespace flotilla
