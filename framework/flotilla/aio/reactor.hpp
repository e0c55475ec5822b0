#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <utility>

#include <flotilla/aio/deadline.hpp>

namespace flotilla::detail {

/// The operating system's side of a Loop: which descriptors are ready (edge-triggered epoll), one alarm clock, signals.
/// Thread-safety: none, except stop() and kick(). Requires: outlives its descriptors. Source: docs/adr/0003-epoll.md.
class Reactor {
public:
    using Callback = void (*)(void* argument);

    /// on_kick runs on the loop after kick(), on_alarm at the instant given to set_alarm().
    /// Throws std::system_error when the process has no descriptors left.
    Reactor(Callback on_kick, Callback on_alarm, void* argument);
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;
    ~Reactor();

    /// Runs until stop(); returns at once when that came before.
    void run();
    void stop();
    /// Calls on_kick soon, from the loop and never inline; kicks that come before it runs are one.
    void kick();
    /// Moves the alarm, which rings once. No system call.
    void set_alarm(Instant at) { alarm_ = at; }
    /// Calls the handler on the loop for each of these signals that arrives, as long as the reactor lives.
    void on_signals(std::initializer_list<int> signals, std::move_only_function<void(int)> handler);

    /// The monotonic clock, read at most once per turn of the loop.
    Instant monotonic();
    /// monotonic(), moved on to the kernel's last tick when that is later.
    Instant catch_up();
    /// monotonic(), read anew.
    Instant refresh();
    /// The longest stretch between two waits for events since the last call; measured while an alarm is set.
    Duration take_longest_turn() { return std::exchange(longest_turn_, Duration::zero()); }
    /// World::backlog; measured while an alarm is set, else now.
    Instant waiting_since() { return turn_began_ == Instant::max() ? monotonic() : waiting_since_; }
    Instant looked_at() { return turn_began_ == Instant::max() ? monotonic() : turn_began_; }
    Duration slept() const { return slept_; }
    /// Whether an operation may complete without going through the loop: a few times per callback, so that a stream
    /// that is always ready cannot starve the others.
    bool may_complete_at_once() { return at_once_left_ > 0 && at_once_left_-- > 0; }

private:
    friend class Descriptor;
    struct Impl;
    struct Signals;
    void turn();
    void call(Callback callback, void* argument);
    void ring_if_due();
    int fall_asleep();
    void note_turn(Instant end);
    void note_look(bool took_all);

    static constexpr int kAtOnceMax = 32; // completions per callback
    Instant now_{};
    bool now_fresh_ = false;
    Instant turn_began_ = Instant::max(); ///< max: not known
    Duration longest_turn_{};
    Duration last_turn_{};
    Instant fell_asleep_ = Instant::max(); ///< max: looked for events without waiting for them
    Instant waiting_since_{};
    bool left_some_ = false; ///< there may have been more events than the last look could take
    Duration slept_{};
    int at_once_left_ = kAtOnceMax;
    Instant alarm_ = Instant::max();
    std::unique_ptr<Impl> impl_;
};

/// A non-blocking file descriptor that the reactor watches from the first wait() on. Closes it when destroyed. Movable,
/// also while it waits.
///
/// Readiness is an edge: the kernel says once that a direction became ready, and the descriptor remembers that until
/// the owner has found nothing more to do there and says so with exhausted(). A forgotten exhausted() costs time (the
/// next wait ends at once, for nothing); one too many loses the edge and hangs.
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
    /// Throws std::system_error when the kernel will not watch the descriptor.
    void wait(Direction direction, Callback callback, void* argument);
    /// Takes a wait back.
    void forget(Direction direction);

    /// Whether wait() was called before: without that nothing is known of its readiness.
    bool is_watched() const;
    /// Whether the kernel said that the direction is ready, or has failed, and nobody has exhausted it since. What
    /// came in since the loop's last turn is not known yet.
    bool is_ready(Direction direction) const;
    /// Whether the kernel said that the other side sends no more, or that the connection is over in both directions.
    /// Requires: is_watched().
    bool has_ended() const;
    bool has_failed() const;
    /// The last attempt said EAGAIN.
    void exhausted(Direction direction);
    /// The last read got less than it asked for: nothing is left, unless the other side has closed.
    void exhausted_by_short_read();
    /// Takes both waits back and closes.
    void close();

private:
    friend class Reactor;
    struct Core;
    Core* core_;
};

} // namespace flotilla::detail
