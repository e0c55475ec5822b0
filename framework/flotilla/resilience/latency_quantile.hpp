#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/resilience/options.hpp>

namespace flotilla {

/// A quantile of recent latencies, for when a hedged call begins its second try. Two histograms of exponential buckets
/// (an eighth of an octave: the answer is at most an eighth too long), one that fills and the one before it, 15 s each:
/// constant memory (about 2 kB), nothing is sorted. Latencies above a minute count as one. Not the P² estimator, which
/// follows a change of the distribution only after as many calls as it has seen before. Thread-safety: none; one per
/// target and loop, or endpoint and loop.
class LatencyQuantile {
public:
    void observe(Duration latency, Instant now);
    /// The latency that `quantile` of the recent calls stay at or below; nothing while there are fewer than
    /// `calls_min`. Computed anew once in 16 observations.
    std::optional<Duration> value(double quantile, std::uint32_t calls_min, Instant now);

private:
    static constexpr std::size_t kPerOctave = 8;
    static constexpr std::size_t kBuckets = 24 * kPerOctave; ///< of microseconds, up to 2^26: a minute
    struct Histogram {
        std::array<std::uint32_t, kBuckets> counts{};
        std::uint64_t total = 0;
    };
    static std::size_t bucket_of(Duration latency);
    static Duration upper_end(std::size_t bucket);
    void rotate(Instant now);
    Duration compute(double quantile) const;

    std::array<Histogram, 2> histograms_;
    std::size_t filling_ = 0;
    Instant rotate_at_ = Instant::min();
    std::uint32_t observed_ = 0; ///< since the value was computed
    double computed_for_ = -1;   ///< quantile
    Duration computed_{};
};

/// When a hedged call begins its second try; nothing: not yet known, so it does not.
std::optional<Duration> hedging_delay(const HedgingOptions& options, LatencyQuantile& latencies, Instant now);

} // namespace flotilla
