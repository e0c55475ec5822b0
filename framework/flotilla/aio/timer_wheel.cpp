#include <flotilla/aio/timer_wheel.hpp>

#include <algorithm>
#include <bit>

namespace flotilla {

TimerWheel::~TimerWheel() {
    for (Level& level : levels_) {
        for (Timer*& slot : level.slots) {
            while (slot != nullptr)
                unlink(*slot);
        }
    }
}

std::uint64_t TimerWheel::tick_at_or_after(Instant at) const {
    if (at <= origin_) return 0;
    const auto since = static_cast<std::uint64_t>((at - origin_).count());
    const auto tick = static_cast<std::uint64_t>(kTick.count());
    return since / tick + (since % tick != 0 ? 1 : 0);
}

Instant TimerWheel::instant_of(std::uint64_t tick) const {
    const auto ticks_left = static_cast<std::uint64_t>((Instant::max() - origin_) / kTick);
    return tick < ticks_left ? origin_ + kTick * static_cast<std::int64_t>(tick) : Instant::max();
}

void TimerWheel::push(Timer*& head, Timer& timer) {
    timer.next_ = head;
    if (head != nullptr) head->previous_ = &timer.next_;
    timer.previous_ = &head;
    head = &timer;
}

void TimerWheel::unlink(Timer& timer) {
    *timer.previous_ = timer.next_;
    if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
    timer.previous_ = nullptr;
    timer.next_ = nullptr;
}

void TimerWheel::take(Timer*& slot, Timer*& into) {
    while (slot != nullptr) {
        Timer& timer = *slot;
        unlink(timer);
        push(into, timer);
    }
}

void TimerWheel::arm(Timer& timer, Instant at) {
    if (timer.armed()) disarm(timer);
    timer.tick_ = std::max(tick_at_or_after(at), current_ + 1);
    insert(timer);
    ++armed_;
}

void TimerWheel::disarm(Timer& timer) {
    unlink(timer);
    --armed_;
}

// A level holds what is less than one turn of it away. The distance in slots is then 1..64, where 64 shares the slot of
// the current position, which has been emptied when the position was reached.
void TimerWheel::insert(Timer& timer) {
    const std::uint64_t distance = timer.tick_ - current_;
    unsigned level = 0;
    while (level + 1 < kLevels && (distance >> (kSlotBits * (level + 1))) != 0)
        ++level;
    // Beyond the last level: parked in its farthest slot, sorted again when that comes.
    const std::uint64_t reach = (std::uint64_t{1} << (kSlotBits * kLevels)) - 1;
    const std::uint64_t tick = current_ + std::min(distance, reach);
    const auto slot = static_cast<unsigned>(tick >> (kSlotBits * level)) % kSlots;
    push(levels_[level].slots[slot], timer);
    levels_[level].occupied |= std::uint64_t{1} << slot;
}

/// The next tick at which a slot of this level is to be fired or cascaded; kNone when the level is empty.
std::uint64_t TimerWheel::next_tick_of_level(unsigned index) {
    Level& level = levels_[index];
    const unsigned shift = kSlotBits * index;
    const std::uint64_t position = current_ >> shift;
    while (level.occupied != 0) {
        const auto first = static_cast<unsigned>((position + 1) % kSlots);
        const auto distance =
            static_cast<unsigned>(std::countr_zero(std::rotr(level.occupied, static_cast<int>(first))));
        const unsigned slot = (first + distance) % kSlots;
        if (level.slots[slot] != nullptr) return (position + 1 + distance) << shift;
        level.occupied &= ~(std::uint64_t{1} << slot); // stale: its timers were disarmed
    }
    return kNone;
}

std::uint64_t TimerWheel::next_tick() {
    std::uint64_t next = kNone;
    for (unsigned level = 0; level < kLevels; ++level)
        next = std::min(next, next_tick_of_level(level));
    return next;
}

std::optional<Instant> TimerWheel::next_deadline() {
    if (armed_ == 0) return std::nullopt;
    return instant_of(next_tick());
}

/// Moves the timers of every level whose slot begins at the current tick one or more levels down.
void TimerWheel::cascade() {
    for (unsigned index = kLevels - 1; index > 0; --index) {
        const unsigned shift = kSlotBits * index;
        if ((current_ & ((std::uint64_t{1} << shift) - 1)) != 0) continue;
        const auto slot = static_cast<unsigned>(current_ >> shift) % kSlots;
        Timer* moving = nullptr;
        take(levels_[index].slots[slot], moving);
        levels_[index].occupied &= ~(std::uint64_t{1} << slot);
        while (moving != nullptr) {
            Timer& timer = *moving;
            unlink(timer);
            insert(timer);
        }
    }
}

void TimerWheel::fire_slot() {
    const auto slot = static_cast<unsigned>(current_ % kSlots);
    levels_[0].occupied &= ~(std::uint64_t{1} << slot);
    Timer* due = nullptr;
    take(levels_[0].slots[slot], due);
    while (due != nullptr) {
        Timer& timer = *due;
        disarm(timer);
        timer.callback_(timer.argument_);
    }
}

void TimerWheel::advance(Instant now) {
    if (now < origin_) return;
    const auto target = static_cast<std::uint64_t>((now - origin_) / kTick);
    while (current_ < target) {
        const std::uint64_t next = armed_ == 0 ? kNone : next_tick();
        if (next > target) {
            current_ = target;
            return;
        }
        current_ = next;
        cascade();
        fire_slot();
    }
}

} // namespace flotilla
