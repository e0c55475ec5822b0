#pragma once

#include <cstdint>

namespace flotilla::bench {

/// One to two milliseconds of CPU: a chain that no compiler shortens.
inline int computed() {
    constexpr int kSteps = 500'000;
    std::uint64_t value = 88172645463325252ULL;
    for (int i = 0; i < kSteps; ++i) {
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
    }
    return static_cast<int>(value % 1000);
}

} // namespace flotilla::bench
