#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/task.hpp>
#include <flotilla/aio/time_spent.hpp>
#include <flotilla/aio/world.hpp>

namespace flotilla {

/// Runs blocking work (password hashing, scans, foreign clients) on the pool: `co_await offload(context, [=] { return
/// hash(p); })`. The work must own what it touches: when the context is cancelled the caller goes on while the work
/// still runs. Work that has not begun by then never runs. Errors: unavailable (the pool's queue is full), the
/// context's reason. Exceptions of the work leave through the await.
template <class Work, class T = std::invoke_result_t<Work&>>
    requires is_result<T>
task<T> offload(Context& context, Work work);

namespace detail {

/// Shared by the waiting coroutine and the work in the pool; whoever comes last frees it. Only the atomics are
/// touched by both threads.
template <class T>
struct OffloadState {
    std::optional<T> result;
    std::exception_ptr exception;
    std::coroutine_handle<> waiter; // null: nobody waits
    std::atomic<bool> abandoned = false;
    // When the work began, in microseconds, and how long it took; only when the caller's time is accounted for.
    std::atomic<std::int64_t> begun = 0;
    Duration ran{};

    bool done() const { return result.has_value() || exception != nullptr; }
};

template <class T>
class OffloadAwaiter {
public:
    OffloadAwaiter(Context& context, std::shared_ptr<OffloadState<T>> state)
        : context_(context), state_(std::move(state)), wakeup_(context.world(), &OffloadAwaiter::resume, this) {}
    OffloadAwaiter(const OffloadAwaiter&) = delete;
    OffloadAwaiter& operator=(const OffloadAwaiter&) = delete;
    ~OffloadAwaiter() {
        state_->waiter = nullptr;
        state_->abandoned = true;
    }

    bool await_ready() const { return state_->done(); }
    void await_suspend(std::coroutine_handle<> awaiting) {
        state_->waiter = awaiting;
        hook_.link(context_, [](void* self) { static_cast<OffloadAwaiter*>(self)->wakeup_.schedule(); }, this);
    }
    void await_resume() {
        hook_.unlink();
        wakeup_.cancel();
    }

private:
    static void resume(void* self) {
        if (auto waiter = std::exchange(static_cast<OffloadAwaiter*>(self)->state_->waiter, nullptr)) waiter.resume();
    }

    Context& context_;
    std::shared_ptr<OffloadState<T>> state_;
    CancelHook hook_;
    Wakeup wakeup_;
};

} // namespace detail

template <class Work, class T>
    requires is_result<T>
task<T> offload(Context& context, Work work) {
    if (context.cancelled()) co_return context.reason();
    auto state = std::make_shared<detail::OffloadState<T>>();
    World& world = context.world();
    TimeSpent::Interval waiting(context, TimeSpent::On::offload);
    const auto since = waiting.counts() ? std::optional(world.now()) : std::nullopt;
    auto submitted = world.submit_blocking([state, &world, since, work = std::move(work)]() mutable {
        if (state->abandoned) return;
        const auto begun = since ? world.now() : Timestamp();
        state->begun.store(begun.microseconds(), std::memory_order_relaxed);
        std::optional<T> result;
        std::exception_ptr exception;
        try {
            result.emplace(work());
        } catch (...) {
            exception = std::current_exception();
        }
        const Duration ran = since ? world.now() - begun : Duration::zero();
        world.post(
            [state = std::move(state), result = std::move(result), exception = std::move(exception), ran]() mutable {
                state->ran = ran;
                state->result = std::move(result);
                state->exception = std::move(exception);
                if (auto waiter = std::exchange(state->waiter, nullptr)) waiter.resume();
            });
    });
    if (!submitted) co_return std::move(submitted.error());
    co_await detail::OffloadAwaiter<T>(context, state);
    if (const auto begun = state->begun.load(std::memory_order_relaxed); since && begun != 0) {
        // Work that nobody waits for any more runs until now, as far as this request is concerned.
        waiting.divide(Timestamp(begun) - *since, state->done() ? state->ran : Duration::max(), {});
    }
    if (state->exception) std::rethrow_exception(state->exception);
    if (!state->result) co_return context.reason();
    co_return std::move(*state->result);
}

} // namespace flotilla
