#include <flotilla/resilience/retry_budgets.hpp>

namespace flotilla {

RetryBudget& RetryBudgets::of(std::string_view service, const RetryBudgetOptions& options) {
    const std::lock_guard lock(mutex_);
    auto found = budgets_.find(service);
    if (found == budgets_.end()) {
        found = budgets_.emplace(service, std::make_unique<RetryBudget>(options, floor_)).first;
    } else {
        found->second->set_ratio(options.ratio);
    }
    return *found->second;
}

} // namespace flotilla
