#pragma once

#include <algorithm>

#include <flotilla/aio/world.hpp>

namespace flotilla {

/// Waits between tries: doubling up to a limit, with full jitter (uniform between zero and the current limit), so that
/// many who wait for the same thing do not come back together. Thread-safety: none.
/// Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
class Backoff {
public:
    Backoff(World& world, Duration min, Duration max) : world_(world), min_(min), max_(max), limit_(min) {}

    /// How long to wait before the next try.
    Duration next() {
        const Duration limit = limit_;
        limit_ = std::min(limit_ * 2, max_);
        return Duration(static_cast<Duration::rep>(world_.random() % static_cast<std::uint64_t>(limit.count() + 1)));
    }
    /// After a success.
    void reset() { limit_ = min_; }

private:
    World& world_;
    Duration min_;
    Duration max_;
    Duration limit_;
};

} // namespace flotilla
