#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <flotilla/resilience/retry_budget.hpp>

namespace flotilla {

/// The retry budgets of a process: one for each target, with one floor below all. Shared by its loops.
/// Thread-safety: full.
class RetryBudgets {
public:
    /// The budget of a target, made with these options when nobody has asked for it before. Stays valid.
    RetryBudget& of(std::string_view service, const RetryBudgetOptions& options);

private:
    RetryFloor floor_;
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<RetryBudget>, std::less<>> budgets_;
};

} // namespace flotilla
