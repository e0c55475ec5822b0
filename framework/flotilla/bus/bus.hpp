#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla {

/// An event on its way: CloudEvents 1.0 attributes, the place in its partition, and the payload.
struct Message {
    std::string topic; ///< CloudEvents `type`, e.g. "order.created"
    std::uint32_t partition = 0;
    std::string key;            ///< events of one key stay in order
    std::uint64_t sequence = 0; ///< per (producer, topic, partition): 1, 2, 3, ... without gaps
    std::string id;             ///< CloudEvents `id`, unique per event
    std::string producer;       ///< CloudEvents `source`: the publishing service
    Timestamp time;             ///< when it happened
    std::string traceparent;    ///< W3C trace context of the transaction
    std::string payload;        ///< JSON
    /// Of an event that is published again: its producer keeps none between this sequence and the event's own.
    std::optional<std::uint64_t> follows = {};
};

/// A message handed to one consumer; it must be acknowledged or given back.
struct Delivery {
    Message message;
    std::string token;      ///< the driver's name for this delivery
    int delivery_count = 1; ///< 1 for the first time
};

/// What a driver guarantees beyond at-least-once; the conformance suite checks what is claimed.
struct BusFeatures {
    bool durable = false; ///< published is on disk
    bool ordered_by_key = true;
    bool groups = true;
    bool redelivery_count = true;
    bool delayed_nack = false; ///< nack's delay is kept by the bus (else by the consumer)
    bool last_sequence = true; ///< last_sequence() works
};

/// One consumer of a group on one partition of a topic. Only one consumer of a group is active per partition: receive()
/// waits until this one is. Thread-safety: none; lives on its loop.
class Subscription {
public:
    virtual ~Subscription() = default;
    /// Waits for at least one delivery, at most `count`. What this group's earlier consumers left unacknowledged comes
    /// first, in order. Errors: unavailable (connection lost: call again, the driver reconnects), the context's reason.
    virtual task<Result<std::vector<Delivery>>> receive(Context& context, std::size_t count) = 0;
    virtual task<Result<void>> acknowledge(Context& context, std::span<const std::string> tokens) = 0;
    /// Gives a delivery back: it comes again, first, to whoever receives next.
    virtual task<Result<void>> give_back(Context& context, std::string token, Duration delay) = 0;
};

/// What was heard on a pub/sub channel.
struct Heard {
    std::vector<std::string> payloads;
    std::uint64_t missed = 0; ///< how many before these are known to be lost
};

/// One listener of a group on a pub/sub channel: bare payloads of programs that know no streams, at most once. What is
/// published while nobody listens, or while the connection is gone, is lost; nothing is acknowledged. Only one listener
/// of a group is active: receive() waits until this one is. For moments two may be, when the active one has hung for so
/// long that another took over; a payload may then be heard by both. Thread-safety: none; lives on its loop.
class ChannelSubscription {
public:
    virtual ~ChannelSubscription() = default;
    /// Waits for something: at least one payload, or some missed. What Bus::publish puts on the channel for plain
    /// subscribers is left out: it is in the stream. Errors: unavailable (connection lost: call again, the driver
    /// subscribes again), the context's reason.
    virtual task<Result<Heard>> receive(Context& context) = 0;
};

/// The event bus of a fleet. Drivers: memory, redis (the hub, Redis, Valkey); later log, nats, rabbitmq, kafka.
/// Thread-safety: none; one object per loop.
class Bus {
public:
    virtual ~Bus() = default;
    virtual BusFeatures features() const = 0;
    /// Publishes in order and answers when the bus has accepted all (durably, where features().durable). On an error
    /// any prefix may have been accepted. Where plain subscribers can be (redis), each payload goes to the pub/sub
    /// channel named like its topic, too. Errors: unavailable (no connection, full), the context's reason.
    virtual task<Result<void>> publish(Context& context, std::span<const Message> messages) = 0;
    /// Joins (and creates) a group. A new group starts at the oldest kept message.
    virtual task<Result<std::unique_ptr<Subscription>>> subscribe(Context& context, std::string topic,
                                                                  std::uint32_t partition, std::string group,
                                                                  std::string consumer) = 0;
    /// Joins a group's listeners on the pub/sub channel of that name; connects with the first receive().
    virtual std::unique_ptr<ChannelSubscription> listen(std::string channel, std::string group,
                                                        std::string consumer) = 0;
    /// The highest sequence of that producer the bus holds; 0 when it holds none: how a publisher notices lost data.
    virtual task<Result<std::uint64_t>> last_sequence(Context& context, std::string topic, std::uint32_t partition,
                                                      std::string producer) = 0;
    /// ok, or why the bus cannot be reached now. For /readyz.
    virtual Result<void> health() const = 0;
};

/// Opens by URL: "redis://127.0.0.1:6380", "memory:NAME" (one in-process bus per name). Connects lazily and reconnects.
Result<std::unique_ptr<Bus>> open_bus(World& world, std::string_view url);

/// The partition of a key: FNV-1a of the key modulo the count. Stable for ever.
std::uint32_t partition_of(std::string_view key, std::uint32_t partitions);

} // namespace flotilla
