#pragma once

#include <algorithm>
#include <cmath>

#include <flotilla/aio/deadline.hpp>

namespace flotilla {

/// What is left of a quantity that decays with a time constant: exp(-elapsed/constant), 1 when nothing has passed.
inline double decayed(Duration elapsed, Duration constant) {
    if (elapsed <= Duration::zero()) return 1;
    if (constant <= Duration::zero()) return 0;
    return std::exp(-static_cast<double>(elapsed.count()) / static_cast<double>(constant.count()));
}

/// An average of latencies, weighted by how recent they are, that jumps to a higher one at once and comes down slowly:
/// a slow instance is noticed by its first slow answer. While nothing is measured it decays, so that an instance that
/// was slow gets another try. Nanoseconds. Thread-safety: none.
/// Source: Finagle, com.twitter.finagle.loadbalancer.PeakEwma.
class PeakEwma {
public:
    void observe(Duration latency, Duration decay, Instant now) {
        const auto measured = static_cast<double>(latency.count());
        const double kept = known() ? decayed(now - at_, decay) : 0;
        value_ = measured > value_ * kept ? measured : value_ * kept + measured * (1 - kept);
        at_ = std::max(at_, now);
    }
    bool known() const { return at_ != Instant::min(); }
    /// Requires: known().
    double value(Duration decay, Instant now) const { return value_ * decayed(now - at_, decay); }

private:
    double value_ = 0;
    Instant at_ = Instant::min();
};

/// Which part of the recent calls failed, 0 to 1: each call counts a tenth, and what is known decays with time when no
/// call disproves it. Thread-safety: none.
class FailureRate {
public:
    /// A failure with a Retry-After does not decay before that has passed.
    void observe(bool failed, Duration retry_after, Duration decay, Instant now) {
        value_ = value(decay, now) * (1 - kCallWeight) + (failed ? kCallWeight : 0);
        at_ = failed ? std::max(at_, now + std::min(retry_after, kRetryAfterMax)) : now;
    }
    double value(Duration decay, Instant now) const { return value_ == 0 ? 0 : value_ * decayed(now - at_, decay); }

private:
    static constexpr double kCallWeight = 0.1;
    static constexpr Duration kRetryAfterMax = std::chrono::seconds(60); ///< whatever an instance claims
    double value_ = 0;
    Instant at_{};
};

} // namespace flotilla
