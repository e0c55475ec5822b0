#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/resilience/instance_state.hpp>
#include <flotilla/resilience/options.hpp>

namespace flotilla {

/// Which of a service's instances may be used: the only place where a breaker takes one out.
/// - CLOSED ones are used. Others are out, and a HALF_OPEN one gets its probes.
/// - At most `out_max` of all are out. When more should be, some are used nevertheless: HALF_OPEN before OPEN, then
///   those whose open time ends first. That is shorter for one that failed for the first time than for one that keeps
///   failing: better than the one that is out longest, which is the one that is surely gone.
/// - When none is CLOSED all are used (panic), unless the options say otherwise. What puts all of them out is something
///   they share: when one is well again the others are tried out at once, or it would carry the load alone.
/// - Of those used, the ones in the own zone are preferred while enough of them are.
/// Computed when something changed, not per call. Allocates only when the number of instances grows.
/// Thread-safety: none.
class Availability {
public:
    using Instances = std::span<InstanceState* const>;

    /// Brings it up to date. Cheap unless invalidate() was called or a breaker's time has come.
    void refresh(const TargetOptions& options, Instances instances, Instant now);
    /// The list or a breaker has changed.
    void invalidate() { next_refresh_ = Instant::min(); }

    /// In no particular order.
    std::span<InstanceState* const> usable() const { return usable_; }
    /// Those to choose from first: the usable ones of the own zone, or all usable ones.
    std::span<InstanceState* const> preferred() const { return zone_first_ ? own_zone_ : usable_; }
    /// HALF_OPEN ones, which may want a probe.
    std::span<InstanceState* const> half_open() const { return half_open_; }
    /// The largest weight of a usable one.
    double weight_max() const { return weight_max_; }
    bool weights_differ() const { return weights_differ_; }

    /// No instance is well, and there is one at least.
    bool panic() const { return panic_; }
    /// Not CLOSED, and not used but for probes.
    std::size_t out() const { return out_; }
    /// Not CLOSED, but used since otherwise too many would be out; all of them in panic.
    std::size_t used_nevertheless() const { return used_nevertheless_; }
    /// panic(), when it changed since the last call of this: for log line and metric.
    std::optional<bool> take_panic_change();

private:
    void try_out_all(Instant now);
    void use_some_nevertheless(const AvailabilityOptions& options, std::size_t all);
    void prefer_own_zone(const BalancingOptions& options, Instances instances);

    std::vector<InstanceState*> usable_, own_zone_, half_open_;
    std::vector<InstanceState*> not_closed_; ///< while it is computed
    Instant next_refresh_ = Instant::min();
    double weight_max_ = 0;
    std::size_t out_ = 0;
    std::size_t used_nevertheless_ = 0;
    bool weights_differ_ = false;
    bool zone_first_ = false;
    bool panic_ = false;
    bool told_panic_ = false;
};

} // namespace flotilla
