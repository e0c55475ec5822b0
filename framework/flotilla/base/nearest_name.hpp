#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flotilla {

/// How many characters must be put in, taken out or replaced to make one of the other (Levenshtein's distance).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// For messages about a wrong name: the candidate (of a range of texts) that was probably meant, the first of those
/// with the smallest edit distance; "" when none is near, that is, when more than a third of the name (and one)
/// differs.
template <class Names>
std::string nearest_name(std::string_view name, const Names& candidates) {
    std::string_view nearest;
    std::size_t smallest = name.size() / 3 + 2;
    for (const std::string_view candidate : candidates) {
        const auto distance = edit_distance(name, candidate);
        if (distance >= smallest) continue;
        smallest = distance;
        nearest = candidate;
    }
    return std::string(nearest);
}

/// The end of such a message: "; did you mean 'port'?", or nothing when none is near.
template <class Names>
std::string did_you_mean(std::string_view name, const Names& candidates) {
    const auto near = nearest_name(name, candidates);
    return near.empty() ? std::string() : "; did you mean '" + near + "'?";
}

} // namespace flotilla
