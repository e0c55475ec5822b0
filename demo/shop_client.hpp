#pragma once

#include <cstdint>
#include <string>

#include "demo/story.hpp"

namespace flotilla::demo {

/// Where the members of a running shop are asked.
struct Ports {
    std::uint16_t gateway = 0, orders = 0, payments = 0, hub = 0;
};

/// Lets a story happen in a running shop and waits for its end, but no longer than half a minute. Throws
/// std::runtime_error that says who answered what instead.
Ending play(const Story& story, const Ports& ports);

} // namespace flotilla::demo
