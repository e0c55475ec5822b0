#include <flotilla/aio/context.hpp>

namespace flotilla {

void CancelHook::link(Context& context, Callback callback, void* argument) {
    callback_ = callback;
    argument_ = argument;
    next_ = context.hooks_;
    if (next_) next_->previous_ = &next_;
    previous_ = &context.hooks_;
    context.hooks_ = this;
}

void CancelHook::unlink() {
    if (!previous_) return;
    *previous_ = next_;
    if (next_) next_->previous_ = previous_;
    previous_ = nullptr;
    next_ = nullptr;
}

Context::Context(World& world, TraceContext trace_context)
    : trace(trace_context.valid() ? std::move(trace_context) : TraceContext::start(world)), world_(world),
      timer_(world, &Context::on_deadline, this) {}

Context::Context(Context& parent, Deadline deadline)
    : trace(parent.trace), principal(parent.principal), criticality(parent.criticality), time_spent(parent.time_spent),
      world_(parent.world_), parent_(&parent), deadline_(deadline.earlier(parent.deadline_)),
      timer_(parent.world_, &Context::on_deadline, this), carried_(parent.carried_) {
    if (parent.cancelled()) {
        reason_ = parent.reason();
        return;
    }
    parent_hook_.link(parent, &Context::on_parent, this);
    arm_deadline();
}

Context::Context(Context& parent, Duration timeout)
    : Context(parent, Deadline::after(parent.world().monotonic(), timeout)) {}

void Context::set_deadline(Deadline deadline) {
    deadline_ = parent_ ? deadline.earlier(parent_->deadline_) : deadline;
    if (!reason_) arm_deadline();
}

void Context::arm_deadline() {
    // The parent's own timer covers a deadline inherited from it.
    if (deadline_ == (parent_ ? parent_->deadline_ : Deadline::never())) {
        timer_.disarm();
    } else if (deadline_.at <= world_.monotonic()) {
        on_deadline(this);
    } else {
        timer_.arm(deadline_.at);
    }
}

Context::~Context() {
    if (destroyed_ != nullptr) *destroyed_ = true;
}

Result<void> Context::check() const {
    if (reason_) return *reason_;
    return {};
}

void Context::cancel(Error reason) {
    if (reason_) return;
    reason_ = std::move(reason);
    timer_.disarm();
    parent_hook_.unlink();
    // A callback may unlink other hooks or destroy what owns them, this context included, so take them one at a time.
    bool destroyed = false;
    destroyed_ = &destroyed;
    while (hooks_ != nullptr) {
        CancelHook* hook = hooks_;
        hook->unlink();
        hook->callback_(hook->argument_);
        if (destroyed) return;
    }
    destroyed_ = nullptr;
}

void Context::on_deadline(void* self) {
    static_cast<Context*>(self)->cancel(Error(Kind::deadline_exceeded, "the deadline of this call has passed"));
}

void Context::on_parent(void* self) {
    auto& context = *static_cast<Context*>(self);
    context.cancel(context.parent_->reason());
}

namespace {

class Sleep {
public:
    Sleep(Context& context, Duration duration) : context_(context), duration_(duration) {}

    bool await_ready() const { return context_.cancelled(); }
    void await_suspend(std::coroutine_handle<> awaiting) {
        waiter_ = awaiting;
        hook_.link(context_, [](void* self) { static_cast<Sleep*>(self)->wakeup_.schedule(); }, this);
        timer_.arm(Deadline::after(context_.world().monotonic(), duration_).at);
    }
    Result<void> await_resume() const { return slept_ ? Result<void>() : context_.check(); }

private:
    static void on_timer(void* self) {
        auto& sleep = *static_cast<Sleep*>(self);
        sleep.slept_ = true;
        resume(self);
    }
    static void resume(void* self) {
        auto& sleep = *static_cast<Sleep*>(self);
        sleep.hook_.unlink();
        sleep.timer_.disarm();
        sleep.wakeup_.cancel();
        sleep.waiter_.resume();
    }

    Context& context_;
    Duration duration_;
    bool slept_ = false;
    std::coroutine_handle<> waiter_;
    CancelHook hook_;
    Timer timer_{context_.world(), &Sleep::on_timer, this};
    Wakeup wakeup_{context_.world(), &Sleep::resume, this};
};

} // namespace

task<Result<void>> sleep_for(Context& context, Duration duration) { co_return co_await Sleep(context, duration); }

} // namespace flotilla
