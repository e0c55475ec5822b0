#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/harness/open_loop.hpp"

namespace flotilla::load {

/// The shop as a load meets it: what there is to be asked for.
struct Shop {
    std::uint16_t gateway = 0;
    std::string run = {};                     ///< names this load: its keys are those of no other
    std::vector<std::string> users, products; ///< ids
    std::vector<std::string> words;           ///< of the products' names, to search for
};

/// A load's kinds of requests and their shares.
struct Mix {
    std::string_view name, summary;
    bool needs_posts;
    std::vector<bench::Stream> (*streams)(const Shop& shop, std::mt19937_64& random);
};

/// All there are.
const std::vector<Mix>& mixes();

/// Finds the products and makes users, and `posts` of theirs where these are asked for, by the gateway's own paths.
/// Throws std::runtime_error that says what the gateway answered instead.
Shop prepare(std::uint16_t gateway, bool posts);

} // namespace flotilla::load
