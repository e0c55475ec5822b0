#include <flotilla/bus/redis/redis_connection.hpp>

#include <algorithm>

#include <flotilla/base/ascii.hpp>
#include <flotilla/bus/redis/redis_sign_in.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kWriteBytes = 1024 * 1024;
// Servers are trusted not to send more than was asked for: a batch of the largest messages must fit.
constexpr resp::Limits kLimits{.message_bytes_max = 1024ull * 1024 * 1024};

/// Sets a flag while it lives.
struct Held {
    bool& flag;
    explicit Held(bool& role) : flag(role) { flag = true; }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { flag = false; }
};

} // namespace

/// Shared by its caller and the queues: the caller may leave before the replies come.
struct RedisConnection::Call {
    std::string bytes;
    std::size_t missing = 0;
    Replies replies;
    std::optional<Error> error;
    Event wake;
    bool live = true; // a caller waits for it
    bool done() const { return missing == 0 || error.has_value(); }
};

RedisConnection::RedisConnection(World& world, RedisTarget target)
    : world_(world), target_(std::move(target)), parser_(kLimits), backoff_(20ms, 500ms) {}

RedisConnection::~RedisConnection() {
    if (stream_) stream_->close();
}

task<Result<RedisConnection::Replies>> RedisConnection::call(Context& caller, RedisCommands commands,
                                                             Duration timeout) {
    co_await must(caller.check());
    Context context(caller, timeout);
    drop_if_stale();
    auto call = std::make_shared<Call>();
    call->bytes = std::move(commands.bytes());
    call->missing = commands.count();
    unsent_.push_back(call);
    while (!call->done() && !context.cancelled()) {
        if (!sending_ && !unsent_.empty()) {
            co_await send(context);
        } else if (!receiving_ && stream_ && !expected_.empty()) {
            co_await receive(context);
        } else if (auto woken = co_await call->wake.wait(context); !woken) {
            break; // the loop's condition has the same reason
        }
    }
    if (!call->done()) {
        const bool silent_server = !caller.cancelled() && context.deadline() != caller.deadline();
        abandon(*call);
        if (!silent_server) {
            pass_on();
            co_return context.reason();
        }
        Error error(Kind::unavailable, "redis_timeout",
                    target_.address.to_string() + " did not answer within " + to_string(timeout));
        if (auto stream = stream_) broken(stream, error);
        pass_on();
        co_return error;
    }
    pass_on();
    if (call->error && caller.cancelled()) co_return caller.reason();
    if (call->error) co_return std::move(*call->error);
    co_return std::move(call->replies);
}

task<Result<resp::Value>> RedisConnection::call_one(Context& context, RedisCommands command, Duration timeout) {
    auto replies = co_await must(call(context, std::move(command), timeout));
    if (replies.front().is_error()) co_return redis_error(replies.front().text);
    co_return std::move(replies.front());
}

task<void> RedisConnection::send(Context& context) {
    std::optional<Error> failure;
    {
        const Held role(sending_);
        auto sent = co_await send_all(context);
        if (!sent) failure = std::move(sent.error());
    }
    // Our own end is no fault of the connection: the next caller goes on.
    if (failure && !context.cancelled()) fail(std::exchange(unsent_, {}), *failure);
}

task<Result<void>> RedisConnection::send_all(Context& context) {
    while (!unsent_.empty()) {
        if (!stream_) co_await must(connect(context));
        const auto stream = stream_;
        std::string batch;
        while (!unsent_.empty() && batch.size() < kWriteBytes) {
            auto call = std::move(unsent_.front());
            unsent_.pop_front();
            if (!call->live) continue;
            if (batch.empty()) {
                batch = std::move(call->bytes);
            } else {
                batch += call->bytes;
            }
            call->bytes.clear();
            expected_.push_back(std::move(call));
        }
        if (batch.empty()) continue;
        auto written = co_await stream->write(context, batch);
        // Cut off in the middle of a command or not, the server would misread what follows.
        if (!written) broken(stream, std::move(written.error()));
        pass_on(); // somebody may read the replies while we write on
    }
    co_return Result<void>();
}

task<Result<void>> RedisConnection::connect(Context& caller) {
    if (const auto now = world_.monotonic(); retry_at_ > now) co_await must(sleep_for(caller, retry_at_ - now));
    resp::Parser parser(kLimits);
    auto connected = co_await connect_redis(caller, target_, parser);
    if (caller.cancelled()) co_return caller.reason();
    if (!connected) {
        last_error_ = std::move(connected.error());
        retry_at_ = world_.monotonic() + backoff_.next(world_.random());
        co_return *last_error_;
    }
    stream_ = std::move(*connected);
    parser_ = std::move(parser);
    backoff_.reset();
    retry_at_ = {};
    last_error_.reset();
    co_return Result<void>();
}

task<void> RedisConnection::receive(Context& context) {
    const auto stream = stream_;
    std::optional<Error> failure;
    {
        const Held role(receiving_);
        read_buffer_.resize(kReadBytes);
        const auto bytes = co_await stream->read(context, read_buffer_);
        if (stream != stream_) co_return; // broken and perhaps replaced meanwhile
        if (!bytes && context.cancelled()) co_return;
        if (!bytes) {
            failure = bytes.error();
        } else if (*bytes == 0) {
            failure = Error(Kind::unavailable, "the server closed the connection");
        } else {
            parser_.feed({read_buffer_.data(), *bytes});
        }
    }
    if (!failure) {
        if (auto read = dispatch(); !read) failure = std::move(read.error());
    }
    if (failure) broken(stream, std::move(*failure));
}

Result<void> RedisConnection::dispatch() {
    Calls finished; // woken last: they may call again at once
    Result<void> outcome;
    for (;;) {
        auto reply = parser_.next();
        if (!reply) {
            outcome = reply.error();
            break;
        }
        if (!*reply) break;
        if (expected_.empty()) {
            outcome = Error(Kind::bad_gateway, "the server sent a reply that nobody asked for");
            break;
        }
        Call& front = *expected_.front();
        if (front.live) front.replies.push_back(std::move(**reply));
        if (--front.missing > 0) continue;
        finished.push_back(std::move(expected_.front()));
        expected_.pop_front();
    }
    for (auto& call : finished)
        call->wake.notify();
    return outcome;
}

void RedisConnection::fail(Calls calls, const Error& error) {
    for (auto& call : calls)
        call->error = error;
    for (auto& call : calls)
        call->wake.notify();
}

void RedisConnection::broken(const std::shared_ptr<Stream>& stream, Error error) {
    if (stream != stream_) return; // noticed before
    stream_->close();
    stream_.reset();
    last_error_ = Error(Kind::unavailable, "redis_disconnected", target_.address.to_string() + ": " + error.message());
    fail(std::exchange(expected_, {}), *last_error_);
}

void RedisConnection::abandon(Call& call) {
    call.live = false;
    call.replies.clear();
}

void RedisConnection::pass_on() {
    const auto wake_first = [](const Calls& calls) {
        const auto waiting = std::ranges::find_if(calls, [](const auto& call) { return call->live; });
        if (waiting == calls.end()) return;
        const auto call = *waiting;
        call->wake.notify();
    };
    if (!sending_ && !unsent_.empty()) wake_first(unsent_);
    if (!receiving_ && !expected_.empty()) wake_first(expected_);
}

void RedisConnection::drop_if_stale() {
    // An idle connection that has something to say can only say that it is closed.
    if (!stream_ || sending_ || receiving_ || !expected_.empty() || !unsent_.empty() || stream_->is_quiet()) return;
    reset();
}

void RedisConnection::reset() {
    if (!stream_) return;
    const auto stream = std::exchange(stream_, nullptr);
    stream->close();
    fail(std::exchange(expected_, {}), Error(Kind::unavailable, "redis_disconnected", "the connection was dropped"));
}

Result<void> RedisConnection::health() const {
    if (last_error_) return *last_error_;
    return {};
}

Error redis_error(std::string_view text) {
    const auto code = text.substr(0, text.find(' '));
    const bool coded = !code.empty() && std::ranges::all_of(code, is_ascii_upper);
    if (!coded || code == "ERR" || code == "WRONGTYPE" || code == "NOPERM") {
        return Error(Kind::internal, "redis_" + std::string(coded ? code : "ERR"), "redis: " + std::string(text));
    }
    return Error(Kind::unavailable, "redis_" + std::string(code), "redis: " + std::string(text));
}

bool is_group_lost(const Error& error) { return error.code() == "redis_NOGROUP" || error.code() == "redis_UNBLOCKED"; }

} // namespace flotilla
