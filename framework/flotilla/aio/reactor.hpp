#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <utility>

#include <flotilla/aio/deadline.hpp>

namespace flotilla::detail {

/// The operating system's side of a Loop: which descriptors are ready, one alarm clock, signals. Boost.Asio does the
/// waiting and is visible in reactor.cpp only. Thread-safety: none, except stop() and kick().
class Reactor {
public:
    using Callback = void (*)(void* argument);

    /// on_kick runs on the loop after kick(), on_alarm at the instant given to set_alarm().
    Reactor(Callback on_kick, Callback on_alarm, void* argument);
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;
    ~Reactor();

    /// Runs until stop(); returns at once when that came before.
    void run();
    void stop();
    /// Calls on_kick once, from the loop. Several kicks make several calls.
    void kick();
    /// Moves the alarm; a system call, so set it rarely.
    void set_alarm(Instant at);
    void on_signals(std::initializer_list<int> signals, std::move_only_function<void(int)> handler);

    /// The monotonic clock, read at most once per turn of the loop.
    Instant monotonic();
    /// Whether an operation may complete without going through the loop: a few times per turn, so that a stream that is
    /// always ready cannot starve the others.
    bool may_complete_at_once();

private:
    friend class Descriptor;
    struct Impl;
    void begin_turn();

    static constexpr int kAtOnceMax = 32; // completions per turn
    Instant now_{};
    bool now_fresh_ = false;
    int at_once_left_ = kAtOnceMax;
    std::unique_ptr<Impl> impl_;
};

/// A non-blocking file descriptor that the reactor watches. Closes it when destroyed. Movable, also
/// while it waits.
class Descriptor {
public:
    using Callback = void (*)(void* argument);
    enum Direction : std::uint8_t { reading, writing };

    /// Takes over `fd`, which must be non-blocking.
    Descriptor(Reactor& reactor, int fd);
    Descriptor(Descriptor&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor();

    int fd() const; ///< -1 once closed
    /// Calls back once, from the loop and never inline, when the direction is ready or has failed (try, and wait again
    /// when it was for nothing). The callback may destroy this descriptor. One wait per direction.
    void wait(Direction direction, Callback callback, void* argument);
    /// Takes a wait back.
    void forget(Direction direction);
    /// Takes both waits back and closes.
    void close();

private:
    struct Core;
    Core* core_;
};

} // namespace flotilla::detail
