#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <flotilla/bus/bus.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla {

/// Handles one event in the transaction that also moves the consumer's mark: its effect happens exactly once in this
/// service's database. The plain-function rules of transaction bodies apply.
using EventHandler = std::function<Result<void>(Transaction&, const Message&)>;

/// Consumes one partition of a topic for a consumer, which is its own group on the bus. Per (consumer, producer, topic,
/// partition) it keeps the highest sequence handled: at or below is a duplicate and dropped, more than one above is a
/// gap and asks the producer to drive again from there. A message whose handler keeps failing moves to the parked table
/// with its reason, later ones of its key follow it there, and the mark moves on; what is parked is tried again at each
/// start. It works for the holder of the database's role: one that was followed is refused with its late marks, and the
/// next one gets what was not acknowledged. Thread-safety: none; lives on one loop.
class Consumer final : public RoleWork {
public:
    struct Options {
        int attempts_max = 5; ///< tries before parking, for errors other than unavailable
        Duration retry_min = std::chrono::milliseconds(100); ///< doubling up to retry_max, full jitter
        Duration retry_max = std::chrono::seconds(5);
        std::size_t batch = 64;
        /// How long missing events are waited for whose producer does not answer. One that does says what it no longer
        /// keeps, and the others go on at once.
        Duration gap_wait_max = std::chrono::hours(24);
        Duration lag_max = std::chrono::seconds(60); ///< health() tells of events that wait longer, in hand or parked
    };
    /// What it consumes, and as whom.
    struct Source {
        std::string topic;
        std::uint32_t partition = 0;
        std::string consumer; ///< names its marks and parked events, and its group on the bus
        std::string instance; ///< its name in the group
    };
    Consumer(World& world, Tenure& tenure, Bus& bus, Source source, EventHandler handler, Telemetry& telemetry,
             Options options);
    ~Consumer() override;
    /// Consumes until the context is cancelled.
    task<void> run(Context& context) override;

    struct Statistics {
        std::uint64_t handled = 0, duplicates = 0, gaps = 0, parked = 0;
        std::string last_error;
    };
    const Statistics& statistics() const;
    /// ok, or that an event waits to be handled, or is parked, for longer than lag_max. For /readyz.
    Result<void> health() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The topic on which consumers ask `producer` to publish again: payload
/// {"topic", "partition", "fromSequence", "toSequence"}; without the last: everything from there on.
std::string redrive_topic(std::string_view producer);

} // namespace flotilla
