#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <flotilla/base/result.hpp>
#include <flotilla/contract/error_code.hpp>

namespace flotilla {

template <class T = void>
class task;

namespace detail {

/// Memory for coroutine frames: a per-thread cache of recently freed blocks. A frame may be freed on another thread.
void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

/// What a finished task does next: called once with its state, returns the coroutine to run.
/// Plain awaiting resumes the awaiting coroutine; `must` decides between resuming and ending it.
struct Completion {
    using Function = std::coroutine_handle<> (*)(void* state) noexcept;
    Function function = [](void*) noexcept -> std::coroutine_handle<> { return std::noop_coroutine(); };
    void* state = nullptr;

    static Completion resume(std::coroutine_handle<> handle) {
        return {[](void* address) noexcept { return std::coroutine_handle<>::from_address(address); },
                handle.address()};
    }
};

struct PromiseBase {
    Completion completion;
    std::exception_ptr exception;

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

    std::suspend_always initial_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { exception = std::current_exception(); }

    /// Requires: the task has its value, error or exception. Returns what runs next.
    std::coroutine_handle<> complete() noexcept { return completion.function(completion.state); }

    struct FinalAwaiter {
        bool await_ready() noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) noexcept {
            return handle.promise().complete();
        }
        void await_resume() noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
};

template <class T>
struct Promise : PromiseBase {
    std::optional<T> value;

    task<T> get_return_object() noexcept;
    template <class U = T>
        requires std::constructible_from<T, U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() {
        if (exception) std::rethrow_exception(exception);
        return std::move(*value);
    }
};

template <>
struct Promise<void> : PromiseBase {
    task<void> get_return_object() noexcept;
    void return_void() noexcept {}
    void take() {
        if (exception) std::rethrow_exception(exception);
    }
};

} // namespace detail

/// A lazy coroutine: it starts when awaited, runs on the thread that resumes it, and resumes its awaiter by symmetric
/// transfer. Destroying an unfinished task destroys its frame and everything it awaits. An exception leaves through the
/// await. Parameters are taken by value (long-lived dependencies by reference).
/// Thread-safety: none; a task belongs to the loop that awaits it.
template <class T>
class [[nodiscard]] task {
public:
    using promise_type = detail::Promise<T>;
    using value_type = T;

    task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            if (handle_) handle_.destroy();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    ~task() {
        if (handle_) handle_.destroy();
    }

    auto operator co_await() && noexcept {
        struct Awaiter {
            std::coroutine_handle<promise_type> handle;
            bool await_ready() noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
                handle.promise().completion = detail::Completion::resume(awaiting);
                return handle;
            }
            T await_resume() { return handle.promise().take(); }
        };
        return Awaiter{handle_};
    }

    /// For awaiters of this library (must, scopes): starts the task with a completion of their own.
    std::coroutine_handle<promise_type> handle() const noexcept { return handle_; }

private:
    friend promise_type;
    explicit task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

namespace detail {
template <class T>
task<T> Promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline task<void> Promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}
} // namespace detail

/// Replaces an error of one code by another; see must().
struct ErrorMapping {
    std::string_view code;
    Error replacement;
};

/// on(user::user_not_found, user_not_found): what comes back with the other service's code leaves as this one's. By
/// code, not by kind: another error of the same kind, such as a route that the service does not have, says something
/// else.
template <class E>
    requires std::convertible_to<const E&, Error>
ErrorMapping on(const ErrorCode& error, const E& replacement) {
    return {error.code, static_cast<Error>(replacement)};
}

namespace detail {

template <class... Mappings>
Error mapped(Error&& error, const std::tuple<Mappings...>& mappings) {
    const ErrorMapping* match = nullptr;
    std::apply(
        [&](const auto&... each) { ((match == nullptr && each.code == error.code() ? match = &each : nullptr), ...); },
        mappings);
    return match ? match->replacement : std::move(error);
}

/// What must() does with a result: every error leaves, mapped.
template <class... Mappings>
struct OrMapped {
    std::tuple<Mappings...> mappings;

    template <class T>
    static bool refuses(const Result<T>& result) {
        return !result.has_value();
    }
    template <class T>
    Error error(Result<T>&& refused) const {
        return mapped(std::move(refused.error()), mappings);
    }
    template <class T>
    static T value(Result<T>&& result) {
        return std::move(*result);
    }
};

/// The same for one row or none: none leaves as an error, too.
template <class E>
struct OrNone {
    E none;

    template <class T>
    static bool refuses(const Result<std::optional<T>>& result) {
        return !result.has_value() || !result->has_value();
    }
    template <class T>
    Error error(Result<std::optional<T>>&& refused) const {
        return refused.has_value() ? static_cast<Error>(none) : std::move(refused.error());
    }
    template <class T>
    static T value(Result<std::optional<T>>&& result) {
        return std::move(**result);
    }
};

template <class T, class Refusal>
struct MustTask {
    task<Result<T>> inner;
    Refusal refusal;
    void* outer_promise = nullptr;
    std::coroutine_handle<> outer;
    std::coroutine_handle<> (*fail)(MustTask&) noexcept = nullptr;

    bool await_ready() noexcept { return false; }

    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        outer = awaiting;
        outer_promise = &awaiting.promise();
        fail = [](MustTask& self) noexcept -> std::coroutine_handle<> {
            auto& promise = *static_cast<Promise*>(self.outer_promise);
            promise.value.emplace(self.refusal.error(std::move(*self.inner.handle().promise().value)));
            return promise.complete();
        };
        auto& promise = inner.handle().promise();
        promise.completion = {[](void* state) noexcept -> std::coroutine_handle<> {
                                  auto& self = *static_cast<MustTask*>(state);
                                  auto& done = self.inner.handle().promise();
                                  const bool failed = !done.exception && self.refusal.refuses(*done.value);
                                  return failed ? self.fail(self) : self.outer;
                              },
                              this};
        return inner.handle();
    }

    auto await_resume() {
        auto result = inner.handle().promise().take();
        if constexpr (!std::is_void_v<T>) return refusal.value(std::move(result));
    }
};

template <class T, class Refusal>
struct MustResult {
    Result<T> result;
    Refusal refusal;

    bool await_ready() noexcept { return !refusal.refuses(result); }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        auto& promise = awaiting.promise();
        promise.value.emplace(refusal.error(std::move(result)));
        return promise.complete();
    }
    auto await_resume() {
        if constexpr (!std::is_void_v<T>) return refusal.value(std::move(result));
    }
};

} // namespace detail

/// or_none(order_not_found): where there is no row, must() ends the coroutine with that error.
template <class E>
    requires std::convertible_to<const E&, Error>
detail::OrNone<E> or_none(const E& none) {
    return {none};
}

/// `co_await must(x)` gives the value of x, or ends the awaiting coroutine with x's error, so that the happy path reads
/// straight down. Mappings made with on() replace errors on the way out; the first match counts.
/// Requires: the awaiting coroutine returns task<Result<...>>.
template <class T, class... Mappings>
    requires(std::same_as<Mappings, ErrorMapping> && ...)
detail::MustTask<T, detail::OrMapped<Mappings...>> must(task<Result<T>> inner, Mappings... mappings) {
    return {std::move(inner), {std::tuple<Mappings...>(std::move(mappings)...)}};
}

template <class T, class... Mappings>
    requires(std::same_as<Mappings, ErrorMapping> && ...)
detail::MustResult<T, detail::OrMapped<Mappings...>> must(Result<T> result, Mappings... mappings) {
    return {std::move(result), {std::tuple<Mappings...>(std::move(mappings)...)}};
}

/// Gives the row itself: `co_await must(database.find(context, orders, id), or_none(order_not_found))`.
template <class T, class E>
detail::MustTask<std::optional<T>, detail::OrNone<E>> must(task<Result<std::optional<T>>> inner,
                                                           detail::OrNone<E> none) {
    return {std::move(inner), std::move(none)};
}

template <class T, class E>
detail::MustResult<std::optional<T>, detail::OrNone<E>> must(Result<std::optional<T>> result, detail::OrNone<E> none) {
    return {std::move(result), std::move(none)};
}

} // namespace flotilla
