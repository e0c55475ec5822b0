#pragma once

#include <optional>
#include <utility>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/resilience/options.hpp>
#include <flotilla/resilience/windowed_count.hpp>

namespace flotilla {

/// Retries that a process may make whatever fails: shared by all its targets and loops, so that many callers who each
/// have little traffic do not add up. Thread-safety: full.
class RetryFloor {
public:
    /// One a second. A call now and then is retried although there is hardly any traffic, and twenty calls a second
    /// that all fail grow by 5 %.
    static constexpr double kRetriesPerSecond = 1;
    static constexpr Duration kWindow = std::chrono::seconds(10);

    /// May be used up at once: ten retries, then none for ten seconds.
    explicit RetryFloor(double retries_per_second = kRetriesPerSecond)
        : limit_(retries_per_second * std::chrono::duration<double>(kWindow).count()), used_(kWindow) {}

private:
    friend class RetryBudget;
    double limit_;
    WindowedCount used_;
};

/// How many retries (hedged calls included) the callers of one target may make: a ratio of the successes of the last
/// window, and what the process's floor gives beyond. Where everything fails there are no successes, so retries end
/// after one window. A retry counts from the moment it is granted: those that wait in a backoff are in the sum, or a
/// thousand of them would all find room.
/// Thread-safety: full; one per target and process, shared by its loops.
/// Source: the retry budgets of Finagle and Linkerd; https://sre.google/sre-book/handling-overload/
class RetryBudget {
public:
    /// The right to one retry. Counts until it is destroyed, and if it was used for a window from then on.
    class Permit {
    public:
        Permit(Permit&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
        Permit& operator=(Permit&& other) noexcept {
            if (this != &other) {
                give_back();
                count_ = std::exchange(other.count_, nullptr);
            }
            return *this;
        }
        ~Permit() { give_back(); }

        /// The retry is sent now.
        void use(Instant now) {
            if (count_ != nullptr) std::exchange(count_, nullptr)->count_reserved(now);
        }

    private:
        friend class RetryBudget;
        explicit Permit(WindowedCount& count) : count_(&count) {}
        void give_back() {
            if (count_ != nullptr) std::exchange(count_, nullptr)->release();
        }
        WindowedCount* count_;
    };

    /// Requires: the floor outlives the budget, and the budget its permits.
    RetryBudget(const RetryBudgetOptions& options, RetryFloor& floor)
        : ratio_(options.ratio), successes_(options.window), retries_(options.window), floor_(floor) {}

    /// A call (or a try of one) succeeded.
    void note_success(Instant now) { successes_.count(now); }
    /// Nothing: the budget is spent, so the call ends with the error it has.
    std::optional<Permit> try_acquire(Instant now);
    /// Another ratio from now on.
    void set_ratio(double ratio) { ratio_.store(ratio, std::memory_order_relaxed); }

    /// For metrics: retries under way or made in the window that successes paid for, and how many they may pay for.
    struct Load {
        double used = 0;
        double allowed = 0;
    };
    Load load(Instant now);

private:
    std::atomic<double> ratio_;
    WindowedCount successes_;
    WindowedCount retries_;
    RetryFloor& floor_;
};

} // namespace flotilla
