#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <flotilla/bus/bus.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla {

/// Writes an event into the outbox, in the transaction's own commit; the relay publishes it afterwards. For Publisher.
void publish_event(Transaction& transaction, std::string_view topic, std::uint32_t partition, std::string key,
                   std::string payload_json);

/// Moves events from the outbox to the bus: gives each its sequence (persisted before it is published, so that a crash
/// repeats the same numbers), publishes in order per partition, keeps published rows for `keep` so that a bus that lost
/// data, or a consumer that saw a gap, is driven again. Waits out a bus that is down; nothing is dropped.
/// It is the partitions' only sequencer, since only the holder of the database's role numbers. A holder that does not
/// know yet that it was followed may publish again what it had numbered: the same numbers, which inboxes drop.
/// Thread-safety: none; lives on one loop.
class OutboxRelay final : public RoleWork {
public:
    struct Options {
        std::size_t batch = 256;
        Duration keep = std::chrono::hours(7 * 24);
        Duration retry_min = std::chrono::milliseconds(100);
        Duration retry_max = std::chrono::seconds(5);
        Duration lag_max = std::chrono::seconds(60); ///< health() tells of a longer one
    };
    OutboxRelay(World& world, Tenure& tenure, Bus& bus, std::string producer, Telemetry& telemetry, Options options);
    OutboxRelay(World& world, Tenure& tenure, Bus& bus, std::string producer, Telemetry& telemetry)
        : OutboxRelay(world, tenure, bus, std::move(producer), telemetry, Options{}) {}
    ~OutboxRelay() override;

    task<void> run(Context& context) override;
    /// Publishes again from that sequence on; duplicates are dropped by the inboxes.
    void redrive(std::string topic, std::uint32_t partition, std::uint64_t from_sequence);

    struct Statistics {
        std::int64_t waiting = 0; ///< events not yet accepted by the bus
        std::string last_error;   ///< empty while publishing works
    };
    const Statistics& statistics() const;
    /// ok, or that events wait because publishing fails or for longer than lag_max. For /readyz.
    Result<void> health() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla
