#include <flotilla/resilience/latency_quantile.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

namespace flotilla {
namespace {

constexpr Duration kRotateEvery = std::chrono::seconds(15);
constexpr std::uint32_t kComputeEvery = 16; // observations
constexpr unsigned kSubBits = 3;            // eight buckets an octave; below eight microseconds one each

} // namespace

std::size_t LatencyQuantile::bucket_of(Duration latency) {
    static_assert(kPerOctave == std::size_t{1} << kSubBits);
    const auto micros = static_cast<std::uint64_t>(std::max<Duration::rep>(latency.count() / 1000, 0));
    if (micros < kPerOctave) return micros;
    const auto octave = static_cast<unsigned>(std::bit_width(micros)) - 1;
    const auto within = (micros >> (octave - kSubBits)) - kPerOctave;
    return std::min<std::size_t>((octave - kSubBits + 1) * kPerOctave + within, kBuckets - 1);
}

Duration LatencyQuantile::upper_end(std::size_t bucket) {
    if (bucket < kPerOctave) return std::chrono::microseconds(bucket + 1);
    const auto shift = bucket / kPerOctave - 1;
    return std::chrono::microseconds((kPerOctave + bucket % kPerOctave + 1) << shift);
}

void LatencyQuantile::observe(Duration latency, Instant now) {
    rotate(now);
    auto& histogram = histograms_[filling_];
    ++histogram.counts[bucket_of(latency)];
    ++histogram.total;
    ++observed_;
}

void LatencyQuantile::rotate(Instant now) {
    if (now < rotate_at_) return;
    if (rotate_at_ == Instant::min() || now - rotate_at_ >= kRotateEvery) histograms_[filling_] = {};
    filling_ = 1 - filling_;
    histograms_[filling_] = {};
    rotate_at_ = now + kRotateEvery;
    computed_for_ = -1;
}

std::optional<Duration> LatencyQuantile::value(double quantile, std::uint32_t calls_min, Instant now) {
    rotate(now);
    if (histograms_[0].total + histograms_[1].total < std::max<std::uint64_t>(calls_min, 1)) return std::nullopt;
    if (quantile != computed_for_ || observed_ >= kComputeEvery) {
        computed_ = compute(quantile);
        computed_for_ = quantile;
        observed_ = 0;
    }
    return computed_;
}

Duration LatencyQuantile::compute(double quantile) const {
    const auto total = static_cast<double>(histograms_[0].total + histograms_[1].total);
    const auto rank = static_cast<std::uint64_t>(std::ceil(quantile * total));
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        below += histograms_[0].counts[bucket] + histograms_[1].counts[bucket];
        if (below >= rank) return upper_end(bucket);
    }
    return upper_end(kBuckets - 1);
}

std::optional<Duration> hedging_delay(const HedgingOptions& options, LatencyQuantile& latencies, Instant now) {
    if (!options.enabled) return std::nullopt;
    const auto usual = latencies.value(options.quantile, options.calls_min, now);
    return usual ? std::optional(std::max(*usual, options.delay_min)) : std::nullopt;
}

} // namespace flotilla
