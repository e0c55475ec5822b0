#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <flotilla/aio/world.hpp>

namespace flotilla {

/// The timers of one loop: a hierarchical wheel with a tick of 1 ms. Arming and disarming are O(1) and link the timer
/// itself, so nothing is allocated. A timer never fires early; it fires in the first advance() at or after its instant,
/// rounded up to a tick. Timers of one tick fire in no promised order.
/// Pure logic over the instants it is given; the World drives it. Thread-safety: none.
class TimerWheel {
public:
    static constexpr Duration kTick = std::chrono::milliseconds(1);

    /// Instants before `origin` count as `origin`.
    explicit TimerWheel(Instant origin) : origin_(origin) {}
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;
    /// Disarms what is still armed.
    ~TimerWheel();

    /// Arms, or moves an armed timer. An instant that has passed fires at the next tick.
    void arm(Timer& timer, Instant at);
    /// Requires: armed here.
    void disarm(Timer& timer);
    /// Fires what is due at `now`. Callbacks may arm, disarm and destroy any timer; what they arm fires in a later
    /// tick.
    void advance(Instant now);

    bool empty() const { return armed_ == 0; }
    std::size_t armed() const { return armed_; }
    /// An instant at which advance() is due; at or before the earliest timer (waking then may find nothing to fire, and
    /// only moves far timers closer). Nothing without armed timers.
    std::optional<Instant> next_deadline();

private:
    static constexpr unsigned kSlotBits = 6;
    static constexpr unsigned kSlots = 1 << kSlotBits;
    static constexpr unsigned kLevels = 7; // 64^7 ms: 139 years
    static constexpr std::uint64_t kNone = ~std::uint64_t{0};

    struct Level {
        std::uint64_t occupied = 0; ///< a bit per slot; may be stale (set on an empty slot)
        std::array<Timer*, kSlots> slots{};
    };

    std::uint64_t tick_at_or_after(Instant at) const;
    Instant instant_of(std::uint64_t tick) const;
    void insert(Timer& timer);
    static void push(Timer*& head, Timer& timer);
    static void unlink(Timer& timer);
    /// Moves a slot's timers to `into`, oldest first.
    static void take(Timer*& slot, Timer*& into);
    std::uint64_t next_tick_of_level(unsigned level);
    std::uint64_t next_tick();
    void cascade();
    void fire_slot();

    Instant origin_;
    std::uint64_t current_ = 0; ///< the last tick that was advanced over
    std::size_t armed_ = 0;
    std::array<Level, kLevels> levels_{};
};

} // namespace flotilla
