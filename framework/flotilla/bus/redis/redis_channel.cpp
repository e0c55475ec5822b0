#include <flotilla/bus/redis/redis_channel.hpp>

#include <flotilla/bus/redis/redis_sign_in.hpp>

namespace flotilla {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

} // namespace

RedisChannel::RedisChannel(World& world, RedisTarget target, RedisConnection& commands, Place place)
    : world_(world), target_(std::move(target)), channel_(std::move(place.channel)),
      lease_(world, commands, "flotilla:lease:" + place.group + ":channel:" + channel_, std::move(place.consumer)) {}

RedisChannel::~RedisChannel() { disconnect(); }

task<Result<Heard>> RedisChannel::receive(Context& context) {
    for (;;) {
        auto anew = co_await lease_.renew(context);
        if (anew && !lease_.active()) {
            disconnect(); // another hears now: nothing piles up here
            anew = co_await lease_.hold(context);
        }
        if (!anew) {
            if (!context.cancelled()) disconnect();
            co_return anew.error();
        }
        if (*anew) disconnect(); // what is buffered came while another may have been active
        co_await must(be_subscribed(context));
        auto heard = co_await must(take_payloads());
        if (!heard.payloads.empty()) co_return heard;
        co_await must(read_some(context));
    }
}

task<Result<void>> RedisChannel::be_subscribed(Context& context) {
    if (stream_) co_return Result<void>();
    resp::Parser parser;
    auto stream = co_await must(connect_redis(context, target_, parser));
    const auto written = co_await stream->write(context, RedisCommands{"SUBSCRIBE", channel_}.bytes());
    if (!written) co_return written.error();
    stream_ = std::move(stream);
    parser_ = std::move(parser);
    last_byte_at_ = world_.monotonic();
    co_return Result<void>();
}

/// Waits for bytes, until the lease is to be renewed.
task<Result<void>> RedisChannel::read_some(Context& context) {
    read_buffer_.resize(kReadBytes);
    Context waiting(context, Deadline{lease_.renew_at()});
    const auto bytes = co_await stream_->read(waiting, read_buffer_);
    if (!bytes && context.cancelled()) co_return context.reason();
    if (!bytes && waiting.cancelled()) co_return co_await look_alive(context);
    if (!bytes) co_return broken(bytes.error().message());
    if (*bytes == 0) co_return broken("the server closed the connection");
    last_byte_at_ = world_.monotonic();
    parser_.feed({read_buffer_.data(), *bytes});
    co_return Result<void>();
}

/// A quiet channel and a dead connection look alike: the server is asked.
task<Result<void>> RedisChannel::look_alive(Context& context) {
    if (world_.monotonic() - last_byte_at_ > RedisConnection::kTimeout)
        co_return broken("the server did not answer within " + to_string(RedisConnection::kTimeout));
    const auto written = co_await stream_->write(context, RedisCommands{"PING"}.bytes());
    if (!written && context.cancelled()) disconnect(); // a half of a command may be gone
    if (!written) co_return context.cancelled() ? context.reason() : broken(written.error().message());
    co_return Result<void>();
}

Result<Heard> RedisChannel::take_payloads() {
    Heard heard;
    for (;;) {
        auto value = parser_.next();
        if (!value) return broken(value.error().message());
        if (!*value) return heard;
        if ((*value)->is_error()) return broken((*value)->text);
        auto& items = (*value)->items; // of a message: "message", the channel, the payload; the rest are confirmations
        if (items.size() != 3 || items[0].text != "message" || items[2].text.ends_with(kCopyMark)) continue;
        heard.payloads.push_back(std::move(items[2].text));
    }
}

Error RedisChannel::broken(std::string_view why) {
    disconnect();
    return Error(Kind::unavailable, "redis_disconnected",
                 target_.address.to_string() + ": listening to \"" + channel_ + "\": " + std::string(why));
}

void RedisChannel::disconnect() {
    if (stream_) stream_->close();
    stream_.reset();
}

} // namespace flotilla
