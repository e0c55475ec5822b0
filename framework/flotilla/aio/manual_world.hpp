#pragma once

// Part of the tests of aio/ and observe/.
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <flotilla/aio/stream.hpp>
#include <flotilla/aio/timer_wheel.hpp>
#include <flotilla/aio/world.hpp>

namespace flotilla {

/// A world whose clocks the test moves, and that does nothing by itself: timers fire in advance(), what was posted runs
/// in run_posted(), blocking work in begin_blocking(). No streams.
class ManualWorld final : public World {
public:
    static constexpr Instant kOrigin{std::chrono::nanoseconds(1234567)};

    Timestamp now() const override { return Timestamp(1'769'846'400'000'000) + (at - kOrigin); }
    Instant monotonic() const override { return at; }
    std::uint64_t random() override { return 4; }
    Instant refresh() override { return at += std::exchange(unread, Duration::zero()); }
    Backlog backlog() const override { return {.since = at - behind, .looked = at - in_turn, .idle = idle}; }
    Duration take_longest_turn() override { return std::exchange(longest_turn, Duration::zero()); }
    void post(std::move_only_function<void()> work) override { posted_.push_back(std::move(work)); }
    Result<void> submit_blocking(std::move_only_function<void()> work) override {
        blocking_.push_back(std::move(work));
        return {};
    }
    BlockingLoad blocking_load() const override { return {.waiting = blocking_.size(), .busy = 0}; }
    std::unique_ptr<Worker> start_worker(std::string) override { return nullptr; }
    task<Result<std::unique_ptr<Stream>>> connect(Context&, Address) override {
        co_return Error(Kind::unimplemented, "a ManualWorld has no network");
    }
    Result<std::unique_ptr<Listener>> listen(const Address&, ListenOptions) override {
        return Error(Kind::unimplemented, "a ManualWorld has no network");
    }

    void advance(Instant to) {
        at = to;
        wheel.advance(to);
    }
    /// The loop is busy meanwhile: no timer fires.
    void pass(Duration time) { at += time; }
    void run_posted() {
        while (!posted_.empty())
            take(posted_)();
    }
    /// Runs the oldest blocking work as a thread of the pool would.
    void begin_blocking() { take(blocking_)(); }

    Instant at = kOrigin;
    Duration unread{}; ///< has passed since monotonic() was read, and shows at the next refresh()
    Duration longest_turn{};
    Duration behind{}, in_turn{}, idle{}; ///< the backlog: how long ago since and looked are; idle
    TimerWheel wheel{kOrigin};

protected:
    void arm(Timer& timer, Instant when) override { wheel.arm(timer, when); }
    void disarm(Timer& timer) override { wheel.disarm(timer); }

private:
    using Queue = std::deque<std::move_only_function<void()>>;
    static std::move_only_function<void()> take(Queue& queue) {
        auto first = std::move(queue.front());
        queue.pop_front();
        return first;
    }
    Queue posted_;
    Queue blocking_;
};

} // namespace flotilla
