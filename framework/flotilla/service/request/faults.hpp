#pragma once

#include <flotilla/aio/context.hpp>
#include <flotilla/node/fault_file.hpp>

namespace flotilla {

/// Makes requests slow, or lets them fail, where a fleet was started for that (./flotilla chaos).
/// Thread-safety: none; one per loop.
class Faults {
public:
    void put(const FaultPlan& plan) { slow_ms_ = plan.slow_ms, fail_percent_ = plan.fail_percent; }
    /// Whether there are any: requests pay for this look only.
    bool any() const { return slow_ms_ > 0 || fail_percent_ > 0; }
    /// Does to one request what is to be done. Errors: internal `injected_fault`; the context's reason.
    task<Result<void>> strike(Context& context) const;

private:
    std::int64_t slow_ms_ = 0, fail_percent_ = 0;
};

} // namespace flotilla
