#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {

/// A peer that Node runs.
struct NodePeer {
    std::string node;             ///< the program
    std::filesystem::path folder; ///< of the peer's files, with its packages
};

/// Copies a peer beside the build and installs its packages, once per lock file. Nullopt, and said on stderr, when it
/// cannot be had.
std::optional<NodePeer> install_node_peer(const Setting& setting, const std::string& name);

} // namespace flotilla::bench
