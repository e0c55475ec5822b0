#pragma once

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/world.hpp>

namespace flotilla {

/// How soon a registry that failed is asked again.
inline Backoff retry_pace() { return {std::chrono::milliseconds(100), std::chrono::seconds(5)}; }

/// Uniform within `share` (of 1) around a duration: many who ask at the same times do not stay together.
inline Duration jittered(World& world, Duration around, double share) {
    const double unit = static_cast<double>(world.random() >> 11) * 0x1.0p-53; // [0, 1)
    return std::chrono::duration_cast<Duration>(around * (1.0 - share + 2 * share * unit));
}

/// A registry that answers at once without news is not asked more often than this.
inline constexpr Duration kAskingPace = std::chrono::milliseconds(100);

} // namespace flotilla
