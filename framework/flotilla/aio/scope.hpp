#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/task.hpp>

namespace flotilla {

/// Holds tasks that run beside each other and outlives none of them: whoever spawns must join.
/// Spawned tasks start at once, on this loop, and run until they first wait.
/// Destroying a scope that was not joined (its own task is being destroyed) destroys its tasks where they wait.
/// Thread-safety: none. Requires: not destroyed from inside one of its own tasks.
class Scope {
public:
    explicit Scope(Context& parent) : context_(parent) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

    /// The context for spawned work; cancelled by cancel() and with the parent.
    Context& context() { return context_; }
    void spawn(task<void> work);
    std::size_t running() const { return running_; }
    /// Cancels what was spawned; join() still waits for it.
    void cancel(Error reason) { context_.cancel(std::move(reason)); }
    /// Waits until everything spawned has ended, also what is spawned meanwhile. One joiner at a time. Rethrows the
    /// first exception one of the tasks left with.
    task<void> join();

private:
    struct Runner;
    struct RunnerPromise;
    Runner run(task<void> work);

    Context context_;
    std::size_t running_ = 0;
    RunnerPromise* first_ = nullptr;
    std::coroutine_handle<> joiner_;
    std::exception_ptr exception_;
};

/// Runs body(scope) and joins what it spawned, whatever the outcome: `co_await scoped(context, [&](Scope& s) ->
/// task<Result<int>> {...})`. When body ends with an error or an exception, what it spawned is cancelled first.
template <class Body>
auto scoped(Context& context, Body body) -> std::invoke_result_t<Body&, Scope&> {
    using Task = std::invoke_result_t<Body&, Scope&>;
    Scope scope(context);
    std::exception_ptr exception;
    if constexpr (std::is_void_v<typename Task::value_type>) {
        try {
            co_await body(scope);
        } catch (...) {
            exception = std::current_exception();
            scope.cancel(Error(Kind::cancelled, "the scope's body failed"));
        }
        co_await scope.join();
        if (exception) std::rethrow_exception(exception);
    } else {
        std::optional<typename Task::value_type> outcome;
        try {
            outcome.emplace(co_await body(scope));
            if constexpr (is_result<typename Task::value_type>) {
                if (!outcome->has_value()) scope.cancel(Error(Kind::cancelled, "the scope's body failed"));
            }
        } catch (...) {
            exception = std::current_exception();
            scope.cancel(Error(Kind::cancelled, "the scope's body failed"));
        }
        co_await scope.join();
        if (exception) std::rethrow_exception(exception);
        co_return std::move(*outcome);
    }
}

namespace detail {
template <class T>
task<void> store_result(task<Result<T>> work, std::optional<Result<T>>& into) {
    into.emplace(co_await std::move(work));
}
} // namespace detail

/// Runs all in parallel and waits for each: every outcome, in order.
template <class T>
task<std::vector<Result<T>>> all_settled(Context& context, std::vector<task<Result<T>>> works) {
    std::vector<std::optional<Result<T>>> slots(works.size());
    Scope scope(context);
    for (std::size_t i = 0; i < works.size(); ++i)
        scope.spawn(detail::store_result(std::move(works[i]), slots[i]));
    co_await scope.join();
    std::vector<Result<T>> results;
    results.reserve(slots.size());
    for (auto& slot : slots)
        results.push_back(std::move(*slot));
    co_return results;
}

/// Runs all in parallel, waits for each; the values in order, or the first error in order.
template <class T>
    requires(!std::is_void_v<T>)
task<Result<std::vector<T>>> all(Context& context, std::vector<task<Result<T>>> works) {
    auto results = co_await all_settled(context, std::move(works));
    std::vector<T> values;
    values.reserve(results.size());
    for (auto& result : results) {
        if (!result) co_return std::move(result.error());
        values.push_back(std::move(*result));
    }
    co_return values;
}

/// Runs all in parallel, waits for each; ok, or the first error in order.
inline task<Result<void>> all(Context& context, std::vector<task<Result<void>>> works) {
    auto results = co_await all_settled(context, std::move(works));
    for (auto& result : results) {
        if (!result) co_return std::move(result.error());
    }
    co_return {};
}

/// Runs differently typed works in parallel: `auto [user, orders] = co_await must(all(context, get_user(),
/// get_orders()));`
template <class... Ts>
    requires(!std::is_void_v<Ts> && ...)
task<Result<std::tuple<Ts...>>> all(Context& context, task<Result<Ts>>... works) {
    std::tuple<std::optional<Result<Ts>>...> slots;
    Scope scope(context);
    std::apply([&](auto&... slot) { (scope.spawn(detail::store_result(std::move(works), slot)), ...); }, slots);
    co_await scope.join();
    std::optional<Error> first;
    const auto note_error = [&first](auto& slot) {
        if (!first && !slot->has_value()) first.emplace(std::move(slot->error()));
    };
    std::apply([&](auto&... slot) { (note_error(slot), ...); }, slots);
    if (first) co_return std::move(*first);
    co_return std::apply([](auto&... slot) { return std::tuple<Ts...>(std::move(**slot)...); }, slots);
}

} // namespace flotilla
