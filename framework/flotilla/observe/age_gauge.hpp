#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/aio/world.hpp>
#include <flotilla/observe/metrics.hpp>

namespace flotilla {

/// How long the oldest of something has waited, as a gauge in seconds; 0 when nothing waits. It is read at scrape time:
/// it grows also while whoever would look at the queue is stuck. Thread-safe.
class AgeGauge {
public:
    AgeGauge(World& world, Metrics& metrics, std::string_view name, std::string_view help, const Labels& labels = {})
        : world_(world),
          gauge_(metrics.observe(name, help, labels, [this] { return std::chrono::duration<double>(age()).count(); })) {
    }
    AgeGauge(const AgeGauge&) = delete;
    AgeGauge& operator=(const AgeGauge&) = delete;
    ~AgeGauge() = default;

    /// Since when the oldest waits; it may lie ahead, as long as nothing is late. nullopt: nothing waits.
    void set(std::optional<Timestamp> since) {
        since_us_.store(since ? since->microseconds() : kNothing, std::memory_order_relaxed);
    }
    bool waits() const { return since_us_.load(std::memory_order_relaxed) != kNothing; }
    /// Zero when nothing waits.
    Duration age() const {
        const auto since = since_us_.load(std::memory_order_relaxed);
        if (since == kNothing) return Duration::zero();
        return std::max<Duration>(world_.now() - Timestamp(since), Duration::zero());
    }

private:
    static constexpr std::int64_t kNothing = std::numeric_limits<std::int64_t>::max();

    World& world_;
    std::atomic<std::int64_t> since_us_ = kNothing;
    ObservedGauge gauge_; // last: reading ends before the rest does
};

/// "75 s", for sentences.
inline std::string in_seconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

} // namespace flotilla
