#include <flotilla/resilience/retry_budget.hpp>

namespace flotilla {

std::optional<RetryBudget::Permit> RetryBudget::try_acquire(Instant now) {
    const auto allowed = ratio_.load(std::memory_order_relaxed) * static_cast<double>(successes_.sum(now));
    if (retries_.reserve_below(allowed, now)) return Permit(retries_);
    if (floor_.used_.reserve_below(floor_.limit_, now)) return Permit(floor_.used_);
    return std::nullopt;
}

RetryBudget::Load RetryBudget::load(Instant now) {
    return {.used = static_cast<double>(retries_.sum(now)),
            .allowed = ratio_.load(std::memory_order_relaxed) * static_cast<double>(successes_.sum(now))};
}

} // namespace flotilla
