#include <flotilla/aio/semaphore.hpp>

#include <cassert>
#include <coroutine>

namespace flotilla {

/// Queued, then granted a permit (or cancelled), then resumed from the loop.
struct FifoSemaphore::Waiter {
    FifoSemaphore& semaphore;
    Context& context;
    bool granted = false;
    Waiter** previous = nullptr; // the pointer that points here; null when not queued
    Waiter* next = nullptr;
    std::coroutine_handle<> handle{};
    CancelHook hook{};
    Wakeup wakeup;

    Waiter(FifoSemaphore& owner, Context& awaiting_context)
        : semaphore(owner), context(awaiting_context), wakeup(awaiting_context.world(), &Waiter::resume, this) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        leave_queue();
        if (granted) semaphore.give_back(); // destroyed between grant and resumption
    }

    void join_queue() {
        previous = semaphore.last_;
        *previous = this;
        semaphore.last_ = &next;
        ++semaphore.waiting_;
    }
    void leave_queue() {
        if (previous == nullptr) return;
        *previous = next;
        (next != nullptr ? next->previous : semaphore.last_) = previous;
        previous = nullptr;
        next = nullptr;
        --semaphore.waiting_;
    }
    static void resume(void* self) { static_cast<Waiter*>(self)->handle.resume(); }
    static void on_cancel(void* self) {
        auto& waiter = *static_cast<Waiter*>(self);
        waiter.leave_queue();
        waiter.wakeup.schedule();
    }

    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        handle = awaiting;
        join_queue();
        hook.link(context, &Waiter::on_cancel, this);
    }
    Result<Permit> await_resume() {
        if (std::exchange(granted, false)) return Permit(semaphore);
        return context.reason();
    }
};

FifoSemaphore::~FifoSemaphore() { assert(first_ == nullptr && "a FifoSemaphore outlives its waiters"); }

task<Result<FifoSemaphore::Permit>> FifoSemaphore::acquire(Context& context) {
    if (context.cancelled()) co_return context.reason();
    if (available_ > 0) {
        --available_;
        co_return Permit(*this);
    }
    if (waiting_ >= waiting_max_) co_return Error(Kind::unavailable, "too many are waiting for a permit");
    co_return co_await Waiter(*this, context);
}

void FifoSemaphore::give_back() {
    if (first_ == nullptr) {
        ++available_;
        return;
    }
    // Handed over, so that nobody who comes in between can take it.
    Waiter& waiter = *first_;
    waiter.leave_queue();
    waiter.hook.unlink();
    waiter.granted = true;
    waiter.wakeup.schedule();
}

} // namespace flotilla
