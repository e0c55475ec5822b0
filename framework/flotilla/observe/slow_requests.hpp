#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <flotilla/aio/time_spent.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla {

/// Logs requests that took too long, with where the time went: one warning "slow request" each, with the caller's
/// fields, then the time it had (budget_ms) and has left (budget_left_ms) where it has a deadline, own_ms
/// (TimeSpent::rest) and whatever was waited for. An overloaded process does not drown in them: at most
/// kLinesPerSecond; the next line says how many were left out (`suppressed`). The counter flotilla_slow_requests_total
/// counts them all. Thread-safety: none; one per loop.
class SlowRequests {
public:
    static constexpr int kLinesPerSecond = 10;

    /// threshold: from which duration on a request is slow; zero: none is.
    SlowRequests(World& world, Telemetry& telemetry, Duration threshold);

    bool enabled() const { return threshold_ > Duration::zero(); }
    bool is_slow(Duration taken, const TimeSpent& spent) const {
        return enabled() && taken >= threshold_ && !spent.lasts();
    }
    /// fields: what the caller knows: method, path, status, duration. False: the line was left out.
    bool note(const Context& context, Duration taken, const TimeSpent& spent, std::span<const LogField> fields);

private:
    bool may_write();

    World& world_;
    Logger log_;
    Duration threshold_;
    Counter& total_;
    Instant second_began_{};
    int written_ = 0;
    std::uint64_t suppressed_ = 0;
};

/// Milliseconds for a log line, to the microsecond.
double log_ms(Duration duration);

} // namespace flotilla
