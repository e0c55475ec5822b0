#pragma once

#include <string_view>

#include <flotilla/aio/world.hpp>

namespace flotilla::hub {

/// What a request was, for the metrics.
struct Handled {
    std::string_view route; ///< its pattern, of the program's; empty: none matched
    int status;
    Duration waited{}; ///< for news, by a blocking query: not the hub's doing
};

} // namespace flotilla::hub
