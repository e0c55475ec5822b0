#pragma once

#include <cstdint>
#include <optional>

#include <flotilla/aio/time_spent.hpp>
#include <flotilla/http/exchange.hpp>
#include <flotilla/observe/slow_requests.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/service/options.hpp>
#include <flotilla/service/request/routes.hpp>

namespace flotilla {

/// Counts, measures and logs requests: durations by route, method and status; one of HostOptions::access_log_sample
/// in the access log, and each that failed (from 500 on) or was slow.
/// Those refused for overload are counted only. Thread-safety: none; one per loop.
class RequestRecorder {
public:
    RequestRecorder(World& world, Telemetry& telemetry, const HostOptions& options);

private:
    friend class Recording;
    void record(const Context& context, const http::Exchange& exchange, const MatchedRoute& matched, int status,
                Duration taken, const TimeSpent& spent, const std::optional<Error>& failure);

    World& world_;
    Logger log_;
    const std::uint64_t sample_;
    Gauge& active_;
    SlowRequests slow_;
    std::uint64_t served_ = 0;
};

/// One request while it is handled: it counts as active, and what it waits for is accounted for on its context.
class Recording {
public:
    Recording(RequestRecorder& recorder, Context& context);
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    ~Recording() { recorder_.active_.add(-1); }

    /// The outcome. failure: what went wrong, for the log line, unless it has one of its own.
    void end(const Context& context, const http::Exchange& exchange, const MatchedRoute& matched, int status,
             const std::optional<Error>& failure);

private:
    RequestRecorder& recorder_;
    const Instant begin_;
    TimeSpent spent_;
    const TimeSpent::Attachment accounted_;
};

} // namespace flotilla
