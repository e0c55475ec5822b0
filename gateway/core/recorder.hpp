#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <flotilla/http/exchange.hpp>
#include <flotilla/observe/request_durations.hpp>
#include <flotilla/observe/slow_requests.hpp>
#include <flotilla/observe/telemetry.hpp>

#include "gateway/core/route_table.hpp"

namespace flotilla::gateway {

/// Metrics and access log of the gateway. Requests refused for overload are counted only. Per loop; the instruments
/// behind it are shared by all loops. Thread-safety: none.
class Recorder {
public:
    /// sample: one of this many answers below 500 is logged; 0: none of them.
    /// slow: see SlowRequests.
    Recorder(World& world, const RouteTable& routes, Telemetry& telemetry, std::uint32_t sample, Duration slow);

    void begin() { active_.add(1); }
    /// Whether anybody wants to know where the time goes.
    bool accounts() const { return slow_.enabled(); }
    /// target: index into the route table; nullopt: none matched. error: what the answer says, if it is the gateway's
    /// own.
    void end(const Context& context, const http::Exchange& exchange, std::string_view request_id,
             std::optional<std::size_t> target, int status, Duration duration, const TimeSpent& spent,
             const Error* error);

private:
    const Logger& log_;
    std::uint32_t sample_;
    std::uint32_t until_sample_ = 0;
    Gauge& active_;
    SlowRequests slow_;
    std::vector<RequestDurations> durations_; // by target, the last one for requests without
};

} // namespace flotilla::gateway
