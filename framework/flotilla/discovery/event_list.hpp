#pragma once

#include <cstdint>

#include <flotilla/aio/event.hpp>

namespace flotilla {

/// Wakes any number of coroutines of one loop: each wait() returns after the next notify_all(). Unlike Event it keeps
/// nothing: look at the state, and wait when it is not yet what you need.
/// Thread-safety: none. Must outlive its waiters.
class EventList {
public:
    EventList() = default;
    EventList(const EventList&) = delete;
    EventList& operator=(const EventList&) = delete;

    /// Resumes, in order, those who wait now; who waits again meanwhile is left for the next time.
    void notify_all();
    /// Errors: the context's reason.
    task<Result<void>> wait(Context& context);
    bool empty() const { return first_ == nullptr; }

private:
    struct Waiter;
    Waiter* first_ = nullptr;
    Waiter** last_ = &first_;
    std::uint64_t round_ = 0;
};

} // namespace flotilla
