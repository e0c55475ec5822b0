#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include <flotilla/aio/deadline.hpp>

namespace flotilla {

/// A count over the last `window`, in ten slots of time, shared by threads: reserved first, then counted, or released.
/// What is reserved and not yet counted is part of the sum and does not age.
/// Thread-safety: full; no call waits. `now` may differ between threads by some milliseconds.
class WindowedCount {
public:
    explicit WindowedCount(Duration window);

    /// Adds one, unless the sum has reached the limit: of several who ask at once no more get it than there is room
    /// for.
    bool reserve_below(double limit, Instant now);
    /// What was reserved has happened: it leaves the sum a window from now.
    void count_reserved(Instant now);
    /// What was reserved will not happen.
    void release() { sum_.fetch_sub(1, std::memory_order_relaxed); }
    /// Reserves and counts at once.
    void count(Instant now);
    std::int64_t sum(Instant now);

private:
    static constexpr std::int64_t kSlots = 10;
    void advance(Instant now);

    std::int64_t slot_length_; ///< nanoseconds
    std::mutex advancing_;     ///< tried, never waited for
    std::atomic<std::int64_t> tick_{0};
    std::atomic<std::int64_t> sum_{0};
    std::array<std::atomic<std::int64_t>, kSlots> slots_{};
};

} // namespace flotilla
