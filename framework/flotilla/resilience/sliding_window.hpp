#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include <flotilla/aio/deadline.hpp>

namespace flotilla {

/// Successes and failures of the last `window`, in ten buckets of time: constant memory, and a count that is at most a
/// tenth of the window too old. Counts saturate nowhere: 2^32 calls in a bucket do not happen.
/// Thread-safety: none.
class SlidingWindow {
public:
    static constexpr std::size_t kBuckets = 10;

    /// Requires: window > 0; `now` never goes back. Another window than before begins anew.
    void add(bool success, Duration window, Instant now) {
        advance(window, now);
        auto& bucket = buckets_[static_cast<std::size_t>(tick_) % kBuckets];
        ++bucket.calls;
        ++sum_.calls;
        bucket.failures += !success;
        sum_.failures += !success;
    }
    void clear() { *this = {}; }

    /// As of the last add().
    std::uint32_t calls() const { return sum_.calls; }
    std::uint32_t failures() const { return sum_.failures; }
    /// 1 without calls.
    double success_rate() const {
        return sum_.calls == 0 ? 1 : 1 - static_cast<double>(sum_.failures) / static_cast<double>(sum_.calls);
    }

private:
    struct Bucket {
        std::uint32_t calls = 0;
        std::uint32_t failures = 0;
    };

    void advance(Duration window, Instant now) {
        const auto length = std::max<Duration::rep>(window.count() / static_cast<Duration::rep>(kBuckets), 1);
        const auto tick = now.time_since_epoch().count() / length;
        if (length != length_ || tick - tick_ >= static_cast<Duration::rep>(kBuckets)) {
            *this = {};
            length_ = length;
            tick_ = tick;
        }
        while (tick_ < tick) {
            auto& oldest = buckets_[static_cast<std::size_t>(++tick_) % kBuckets];
            sum_.calls -= oldest.calls;
            sum_.failures -= oldest.failures;
            oldest = {};
        }
    }

    std::array<Bucket, kBuckets> buckets_{};
    Bucket sum_;
    Duration::rep length_ = 0; ///< of a bucket
    Duration::rep tick_ = 0;   ///< the current one
};

} // namespace flotilla
