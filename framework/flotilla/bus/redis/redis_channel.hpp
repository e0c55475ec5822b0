#pragma once

#include <memory>
#include <string>

#include <flotilla/aio/stream.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/redis/redis_connection.hpp>
#include <flotilla/bus/redis/redis_lease.hpp>
#include <flotilla/bus/redis/resp.hpp>

namespace flotilla {

/// How the copy ends that we PUBLISH of an event in a stream, for plain subscribers: white space, which no reader of
/// JSON sees and no writer makes. By it our own listeners know that they have the event from the stream: comparing
/// contents would take two equal events for one, and cost a look into the stream for each.
inline constexpr std::string_view kCopyMark = "\t\r\n\t";

/// One listener of a group on a pub/sub channel. Whoever holds the lease `flotilla:lease:GROUP:channel:CHANNEL` is
/// subscribed, with a connection of its own; the others are not, so that nothing piles up for them. The lease is looked
/// at before anything heard is handed out: who lost it drops what came meanwhile, for another has heard it.
/// Nothing is read ahead: a server that this is too slow for drops the connection (client-output-buffer-limit).
/// Thread-safety: none. Requires: the command connection outlives it.
class RedisChannel final : public ChannelSubscription {
public:
    struct Place {
        std::string channel;
        std::string group;
        std::string consumer;
    };
    RedisChannel(World& world, RedisTarget target, RedisConnection& commands, Place place);
    ~RedisChannel() override;

    task<Result<Heard>> receive(Context& context) override;

private:
    task<Result<void>> be_subscribed(Context& context);
    task<Result<void>> read_some(Context& context);
    task<Result<void>> look_alive(Context& context);
    Result<Heard> take_payloads();
    Error broken(std::string_view why);
    void disconnect();

    World& world_;
    RedisTarget target_;
    std::string channel_;
    RedisLease lease_;
    std::unique_ptr<Stream> stream_;
    resp::Parser parser_;
    std::string read_buffer_;
    Instant last_byte_at_{}; ///< of the connection; a server that says nothing for too long is gone
};

} // namespace flotilla
