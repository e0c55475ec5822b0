#pragma once

#include <utility>

#include <flotilla/observe/log.hpp>
#include <flotilla/observe/metrics.hpp>

namespace flotilla {

/// Where the parts of a program write what they do: the process' log and figures. Thread-safe. Lives as long as the
/// process; parts keep a reference.
struct Telemetry {
    Logger log;
    Metrics metrics;

    explicit Telemetry(Logger logger) : log(std::move(logger)) {}
    Telemetry(const Telemetry&) = delete;
    Telemetry& operator=(const Telemetry&) = delete;
};

} // namespace flotilla
