#pragma once

#include <functional>
#include <string>
#include <vector>

#include <flotilla/aio/world.hpp>
#include <flotilla/observe/metrics.hpp>

namespace flotilla {

/// Watches one loop from the inside, ten times a second and never on the way of a request:
/// - flotilla_loop_turn_seconds: the longest the loop went without looking for work in each period. A timer alone would
///   not see most of what blocks a loop: what begins and ends between two of its calls delays none of them.
/// - flotilla_loop_lag_seconds: how late work that was due may have been begun in each period: the longer of that and
/// of
///   how late the timer was. The timer also sees a process that did not get the CPU, which no turn shows.
/// - flotilla_blocking_waiting, flotilla_blocking_busy: work for the loop's blocking pool; read at scrape time.
/// Figures that belong to the loop's thread are published along with it. Label `loop`: its name.
/// Thread-safety: none; lives on its loop.
class LoopWatch {
public:
    static constexpr Duration kPeriod = std::chrono::milliseconds(100);
    /// What a timer may be late on an idle loop: one tick of the wheel, one of the wait for events. Does not count.
    static constexpr Duration kTimerResolution = std::chrono::milliseconds(2);

    LoopWatch(World& world, Metrics& metrics, std::string loop);
    LoopWatch(const LoopWatch&) = delete;
    LoopWatch& operator=(const LoopWatch&) = delete;

    const std::string& loop() const { return loop_; }
    /// Called at each look, to set gauges. Requires: what it touches lives as long as this object.
    void publish(std::move_only_function<void()> figures) { figures_.push_back(std::move(figures)); }
    /// Looks for the first time and from now on. Call it on the running loop.
    void start();

private:
    static void on_timer(void* self);
    void look();

    World& world_;
    std::string loop_;
    Histogram& lag_;
    Histogram& turn_;
    ObservedGauge waiting_;
    ObservedGauge busy_;
    std::vector<std::move_only_function<void()>> figures_;
    Timer timer_;
};

} // namespace flotilla
