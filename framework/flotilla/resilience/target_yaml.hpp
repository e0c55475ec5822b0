#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/resilience/target_configuration.hpp>

namespace YAML { // yaml-cpp's headers are large
class Node;
}

namespace flotilla {

/// How a file's `targets:` are read into a configuration.
struct TargetsReading {
    std::string what;               ///< what the map is called in messages: "targets", "order-service.targets"
    std::vector<std::string> known; ///< services that may be named
    /// Where a value stands, for TargetSetting::source.
    std::function<std::string(const YAML::Node& value)> source;
    /// Told of each mistake, with its place. May throw.
    std::function<void(const YAML::Node& at, std::string message)> fail;
};

/// Reads the map `targets:` of a configuration file, the same for each file that has one: by service, or "*" for all,
/// its options, as a map for each group or with a dot in the key.
///
///     targets:
///       "*": {retry.retries: 1}
///       user-service:
///         breaker: {open: 30s, failures: 3}
///         endpoints:
///           "GET /users/{id}": {timeouts.call: 500ms}
///
/// Unknown services and options, wrong values, what is given twice and what does not fit together are mistakes.
void read_targets(const YAML::Node& targets, const TargetsReading& reading, TargetConfiguration& into);

} // namespace flotilla
