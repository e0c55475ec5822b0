#pragma once

#include <algorithm>
#include <cmath>

#include <flotilla/aio/deadline.hpp>

namespace flotilla {

/// What is left of a quantity that decays with a time constant: exp(-elapsed/constant), 1 when nothing has passed.
inline double decayed(Duration elapsed, Duration constant) {
    if (elapsed <= Duration::zero()) return 1;
    if (constant <= Duration::zero()) return 0;
    const double parts = static_cast<double>(elapsed.count()) / static_cast<double>(constant.count());
    if (parts < 0.01) return 1 - parts * (1 - parts / 2); // right to a millionth: most calls follow soon
    return std::exp(-parts);
}

/// How long an instance takes: the larger of an average of latencies, weighted by how recent they are, and of the last
/// peak. A slow instance is noticed by its first slow answer; but one such answer is forgotten ten times as fast as
/// many are, since most often it is the machine's that made it wait. While nothing is measured both decay, so that an
/// instance that was slow gets another try: when that is slow too, the pause before it counts for the average.
/// Nanoseconds. Thread-safety: none. Source: Finagle, com.twitter.finagle.loadbalancer.PeakEwma, which has the peak
/// only.
class PeakEwma {
public:
    void observe(Duration latency, Duration decay, Instant now) {
        const auto measured = static_cast<double>(latency.count());
        const double kept = known() ? decayed(now - at_, decay) : 0;
        average_ = average_ * kept + measured * (1 - kept);
        // Mostly without a second exponential.
        if (peak_ > measured) peak_ *= decayed(now - at_, decay / kPeaksForgotten);
        peak_ = std::max(peak_, measured);
        at_ = std::max(at_, now);
    }
    bool known() const { return at_ != Instant::min(); }
    /// What value() is at most.
    double largest() const { return std::max(average_, peak_); }
    /// Requires: known().
    double value(Duration decay, Instant now) const {
        return std::max(average_ * decayed(now - at_, decay), peak_ * decayed(now - at_, decay / kPeaksForgotten));
    }

private:
    static constexpr int kPeaksForgotten = 10; ///< so many times as fast
    double average_ = 0;
    double peak_ = 0;
    Instant at_ = Instant::min();
};

/// Which part of the recent calls failed, 0 to 1: each call counts a tenth, and what is known decays with time when no
/// call disproves it. Thread-safety: none.
class FailureRate {
public:
    /// A failure with a Retry-After does not decay before that has passed.
    void observe(bool failed, Duration retry_after, Duration decay, Instant now) {
        value_ = value(decay, now) * (1 - kCallWeight) + (failed ? kCallWeight : 0);
        if (value_ < kNothing) value_ = 0;
        at_ = failed ? std::max(at_, now + std::min(retry_after, kRetryAfterMax)) : now;
    }
    double value(Duration decay, Instant now) const { return value_ == 0 ? 0 : value_ * decayed(now - at_, decay); }

private:
    static constexpr double kCallWeight = 0.1;
    static constexpr double kNothing = 1e-3;                             ///< so that what is well costs no exponential
    static constexpr Duration kRetryAfterMax = std::chrono::seconds(60); ///< whatever an instance claims
    double value_ = 0;
    Instant at_{};
};

} // namespace flotilla
