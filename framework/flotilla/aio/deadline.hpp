#pragma once

#include <chrono>
#include <compare>

#include <flotilla/base/duration.hpp>

namespace flotilla {

/// A point on a World's monotonic clock.
using Instant = std::chrono::time_point<struct WorldClock, Duration>;

/// The latest instant at which work is still worth doing. Every call has one; the earlier of two counts.
struct Deadline {
    Instant at = Instant::max();

    static constexpr Deadline never() { return {}; }
    /// `timeout` after `now`; never when that is beyond the clock.
    static constexpr Deadline after(Instant now, Duration timeout) {
        return timeout < Instant::max() - now ? Deadline{now + timeout} : never();
    }
    constexpr bool is_never() const { return at == Instant::max(); }
    constexpr Deadline earlier(Deadline other) const { return at < other.at ? *this : other; }
    /// What is left at `now`; never negative.
    constexpr Duration remaining(Instant now) const {
        if (is_never()) return Duration::max();
        return at > now ? at - now : Duration::zero();
    }
    constexpr auto operator<=>(const Deadline&) const = default;
};

} // namespace flotilla
