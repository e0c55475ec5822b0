#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
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

struct AllOptions {
    std::size_t at_once = 16; ///< so many run beside each other
};

namespace detail {

/// The work of all() on items.
template <class Item, class T, class Function>
struct EachItem {
    std::vector<Item> items;
    Function function;
    std::vector<std::optional<T>> values = std::vector<std::optional<T>>(items.size());
    std::vector<Context*> running = std::vector<Context*>(items.size()); ///< null: not begun, or done
    std::size_t next = 0;
    std::optional<Error> error; ///< of failed_at, the first in order so far
    std::size_t failed_at = 0;

    /// One item under a context of its own.
    struct Running {
        EachItem& each;
        std::size_t at;
        Context context;
        Running(EachItem& owner, std::size_t place, Context& parent) : each(owner), at(place), context(parent) {
            each.running[at] = &context;
        }
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running() { each.running[at] = nullptr; }
    };

    void begin_no_more() { next = items.size(); }
    /// Items before this one may still fail, and count then; what is behind it is of no use any more.
    void fail(std::size_t at, Error reason) {
        begin_no_more();
        if (error && at > failed_at) return;
        error.emplace(std::move(reason));
        failed_at = at;
        for (std::size_t i = at + 1; i < running.size(); ++i) {
            if (running[i] != nullptr) running[i]->cancel(Error(Kind::cancelled, "one before it failed"));
        }
    }
};

/// One after the other, until there are none.
template <class Item, class T, class Function>
task<void> work_off(Context& context, EachItem<Item, T, Function>& each) {
    while (each.next < each.items.size()) {
        typename EachItem<Item, T, Function>::Running running(each, each.next++, context);
        try {
            auto result = co_await each.function(running.context, std::move(each.items[running.at]));
            if (result)
                each.values[running.at].emplace(std::move(*result));
            else
                each.fail(running.at, std::move(result.error()));
        } catch (...) {
            each.begin_no_more();
            throw;
        }
    }
}

template <class Result>
inline constexpr bool is_task_of_result = false;
template <class T>
inline constexpr bool is_task_of_result<task<Result<T>>> = !std::is_void_v<T>;

} // namespace detail

/// Calls a function `task<Result<T>>(Context&, Item)` with each item, so many at once: the values in the order of the
/// items, or the first error in that order. What comes behind an item that failed is cancelled, or not begun. The
/// function, its captures included, lives until the last has ended.
template <class Item, class Function, class Task = std::invoke_result_t<Function&, Context&, Item>>
    requires detail::is_task_of_result<Task>
auto all(Context& context, std::vector<Item> items, Function function, AllOptions options = {})
    -> task<Result<std::vector<typename Task::value_type::value_type>>> {
    using T = typename Task::value_type::value_type;
    detail::EachItem<Item, T, Function> each{.items = std::move(items), .function = std::move(function)};
    Scope scope(context);
    for (std::size_t i = 0; i < std::max<std::size_t>(options.at_once, 1) && each.next < each.items.size(); ++i)
        scope.spawn(detail::work_off(scope.context(), each));
    co_await scope.join();
    if (each.error) co_return std::move(*each.error);
    std::vector<T> values;
    values.reserve(each.values.size());
    for (auto& value : each.values)
        values.push_back(std::move(*value));
    co_return values;
}

/// The same with a member function: `all(context, request.items, &Orders::price_of, *this, {.at_once = 16})`.
template <class Item, class T, class Object>
task<Result<std::vector<T>>> all(Context& context, std::vector<Item> items,
                                 task<Result<T>> (Object::*method)(Context&, Item), Object& object,
                                 AllOptions options = {}) {
    const auto call = [method, &object](Context& own, Item item) { return (object.*method)(own, std::move(item)); };
    return all(context, std::move(items), call, options);
}

} // namespace flotilla
