#pragma once

#include <optional>
#include <string>
#include <vector>

namespace flotilla::bench {

/// What a target asks of the ratio.
enum class Wanted : unsigned char { at_most, at_least };

/// One figure beside a peer's.
struct Row {
    std::string bench; ///< "service"
    std::string what;  ///< "cpu", "requests at 64 connections", ...
    double ours = 0;
    std::string unit;                  ///< "µs/request", "/s", ...
    std::string peer = {};             ///< whom we are compared with
    std::optional<double> peer_value;  ///< absent: the peer was skipped
    std::optional<double> target = {}; ///< for the ratio ours / peer_value
    Wanted wanted = Wanted::at_most;

    std::optional<double> ratio() const;
    /// Whether the target is met; absent when there is no target or no peer.
    std::optional<bool> ok() const;
};

/// One JSON object with exactly: bench, what, ours, unit, peer, peer_value, ratio, target, ok. Absent is null.
std::string to_json(const Row& row);

/// The rows as a table with a heading; columns are aligned.
std::string to_table(const std::vector<Row>& rows);

} // namespace flotilla::bench
