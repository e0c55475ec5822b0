#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/inbox.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla {

/// The producer of events heard on pub/sub channels: nobody says who they are from.
inline constexpr std::string_view kChannelProducer = "pubsub";

/// Hears a topic on the pub/sub channel of its name, at most once, and handles what it hears like a stream's events. A
/// payload becomes an event, with a new id and the present time, when it is heard: two equal payloads are two events.
/// It is handled in one transaction, again after an outage, and set aside in the parked table when its handler refuses
/// it (at once when it does not match the contract, else after `attempts_max` tries); what is parked is tried again by
/// the Consumer of the topic's partition 0 at each start. Bounded: beyond the queue's limits what comes is dropped,
/// beyond parked_max what would be parked; both are counted in flotilla_pubsub_dropped_total and logged. What waits in
/// the queue when the process ends, or loses the database's role, is lost. Thread-safety: none; lives on one loop.
class ChannelConsumer final : public RoleWork {
public:
    struct Options {
        int attempts_max = 5;
        Duration retry_min = std::chrono::milliseconds(100); ///< doubling up to retry_max, full jitter
        Duration retry_max = std::chrono::seconds(5);
        std::size_t queue_messages_max = 10'000;
        std::size_t queue_bytes_max = 16u << 20;
        std::int64_t parked_max = 1000;
    };
    /// Of the source only the partition says nothing: a channel has none.
    ChannelConsumer(World& world, Tenure& tenure, Bus& bus, Consumer::Source source, EventHandler handler,
                    Telemetry& telemetry, Options options);
    ~ChannelConsumer() override;
    /// Hears and handles until the context is cancelled.
    task<void> run(Context& context) override;

    struct Statistics {
        std::uint64_t handled = 0, dropped = 0, parked = 0;
        std::string last_error;
    };
    const Statistics& statistics() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla
