#pragma once

#include <chrono>

namespace flotilla {

/// A span of time, in nanoseconds. Write literals with std::chrono_literals (500ms, 2s).
using Duration = std::chrono::nanoseconds;

} // namespace flotilla
