#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {

/// A server that takes part: ours, or a peer.
struct Competitor {
    std::string name;
    std::uint16_t port = 0;
    std::optional<double> target = {};           ///< for ours / this one
    std::unique_ptr<ServerProcess> process = {}; ///< null: skipped
};

/// Starts a competitor pinned to the measured core; returns once it listens.
void start(Competitor& competitor, std::vector<std::string> arguments, const std::filesystem::path& folder,
           std::map<std::string, std::string> environment = {});

/// Loads all with 64 keep-alive connections asking for `path`. competitors[0] is ours. Rows per peer: CPU time (with
/// the target), requests per second, the 99th percentile.
std::vector<Row> compare_http(const std::string& bench, const std::string& path,
                              const std::vector<Competitor>& competitors, const Setting& setting);

} // namespace flotilla::bench
