#include <flotilla/aio/event.hpp>

#include <cassert>

namespace flotilla {

struct Event::Awaiter {
    Event& event;
    Context& context;
    std::coroutine_handle<> handle{};
    CancelHook hook{};
    Wakeup wakeup;

    Awaiter(Event& owner, Context& awaiting_context)
        : event(owner), context(awaiting_context), wakeup(awaiting_context.world(), &Awaiter::resume, this) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
        if (event.waiter_ == this) event.waiter_ = nullptr;
    }

    static void resume(void* self) {
        auto& awaiter = *static_cast<Awaiter*>(self);
        awaiter.hook.unlink();
        awaiter.event.waiter_ = nullptr;
        awaiter.handle.resume();
    }
    bool await_ready() const { return context.cancelled() || event.notified_; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        assert(event.waiter_ == nullptr && "an Event has one waiter at a time");
        handle = awaiting;
        event.waiter_ = this;
        hook.link(context, [](void* self) { static_cast<Awaiter*>(self)->wakeup.schedule(); }, this);
    }
    Result<void> await_resume() const {
        if (std::exchange(event.notified_, false)) return {};
        return context.check();
    }
};

void Event::notify() {
    notified_ = true;
    if (waiter_ != nullptr) waiter_->wakeup.schedule();
}

task<Result<void>> Event::wait(Context& context) { co_return co_await Awaiter(*this, context); }

} // namespace flotilla
