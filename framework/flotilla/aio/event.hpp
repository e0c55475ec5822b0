#pragma once

#include <coroutine>

#include <flotilla/aio/context.hpp>

namespace flotilla {

/// Wakes coroutines of the same loop: wait() returns after the next notify(), or at once if one came since the last
/// wait (a notification is not lost, several count as one). The waiter runs later, never inside notify().
/// Thread-safety: none; use World::post from other threads.
class Event {
public:
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void notify();
    /// One waiter at a time. Requires: the event outlives the wait. Errors: the context's reason.
    task<Result<void>> wait(Context& context);

private:
    struct Awaiter;
    bool notified_ = false;
    Awaiter* waiter_ = nullptr;
};

} // namespace flotilla
