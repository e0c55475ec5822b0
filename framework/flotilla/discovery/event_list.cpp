#include <flotilla/discovery/event_list.hpp>

namespace flotilla {

struct EventList::Waiter {
    EventList& list;
    Event event;
    std::uint64_t round;
    Waiter** previous;
    Waiter* next = nullptr;

    explicit Waiter(EventList& owner) : list(owner), round(owner.round_), previous(owner.last_) {
        *previous = this;
        list.last_ = &next;
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { unlink(); }

    void unlink() {
        if (!previous) return;
        *previous = next;
        (next ? next->previous : list.last_) = previous;
        previous = nullptr;
    }
};

void EventList::notify_all() {
    const auto round = ++round_;
    while (first_ && first_->round < round) {
        Waiter& waiter = *first_;
        waiter.unlink();
        waiter.event.notify(); // may end the waiter
    }
}

task<Result<void>> EventList::wait(Context& context) {
    Waiter waiter(*this);
    co_return co_await waiter.event.wait(context);
}

} // namespace flotilla
