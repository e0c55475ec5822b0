#include <flotilla/observe/loop_watch.hpp>

#include <algorithm>
#include <array>

namespace flotilla {
namespace {

constexpr std::array kBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                             0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};

} // namespace

LoopWatch::LoopWatch(World& world, Metrics& metrics, std::string loop)
    : world_(world), loop_(std::move(loop)),
      lag_(metrics.histogram("flotilla_loop_lag_seconds", "How late due work may have begun, each tenth of a second.",
                             {{"loop", loop_}}, kBounds)),
      turn_(metrics.histogram("flotilla_loop_turn_seconds",
                              "The longest the loop worked without looking for new work, each tenth of a second.",
                              {{"loop", loop_}}, kBounds)),
      waiting_(metrics.observe("flotilla_blocking_waiting", "Blocking work that no thread has begun.",
                               {{"loop", loop_}},
                               [&world] { return static_cast<double>(world.blocking_load().waiting); })),
      busy_(metrics.observe("flotilla_blocking_busy", "Threads that run blocking work.", {{"loop", loop_}},
                            [&world] { return static_cast<double>(world.blocking_load().busy); })),
      timer_(world, &LoopWatch::on_timer, this) {}

void LoopWatch::start() {
    world_.take_longest_turn(); // what start-up took delays nobody
    for (auto& figures : figures_)
        figures();
    timer_.arm(world_.monotonic() + kPeriod);
}

void LoopWatch::on_timer(void* self) { static_cast<LoopWatch*>(self)->look(); }

void LoopWatch::look() {
    const Instant now = world_.monotonic();
    const Duration late = std::max<Duration>(now - timer_.at() - kTimerResolution, Duration::zero());
    const Duration turn = world_.take_longest_turn();
    turn_.observe(turn);
    lag_.observe(std::max(late, turn));
    for (auto& figures : figures_)
        figures();
    timer_.arm(now + kPeriod);
}

} // namespace flotilla
