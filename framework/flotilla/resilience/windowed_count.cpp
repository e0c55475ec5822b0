#include <flotilla/resilience/windowed_count.hpp>

#include <algorithm>

namespace flotilla {

WindowedCount::WindowedCount(Duration window) : slot_length_(std::max<std::int64_t>(window.count() / kSlots, 1)) {}

bool WindowedCount::reserve_below(double limit, Instant now) {
    advance(now);
    auto sum = sum_.load(std::memory_order_relaxed);
    do {
        if (static_cast<double>(sum + 1) > limit) return false;
    } while (!sum_.compare_exchange_weak(sum, sum + 1, std::memory_order_relaxed));
    return true;
}

void WindowedCount::count_reserved(Instant now) {
    advance(now);
    const auto tick = tick_.load(std::memory_order_acquire);
    slots_[static_cast<std::size_t>(tick % kSlots)].fetch_add(1, std::memory_order_relaxed);
}

void WindowedCount::count(Instant now) {
    count_reserved(now);
    sum_.fetch_add(1, std::memory_order_relaxed);
}

std::int64_t WindowedCount::sum(Instant now) {
    advance(now);
    return sum_.load(std::memory_order_relaxed);
}

void WindowedCount::advance(Instant now) {
    const auto tick = now.time_since_epoch().count() / slot_length_;
    if (tick <= tick_.load(std::memory_order_acquire)) return;
    const std::unique_lock advancing(advancing_, std::try_to_lock);
    if (!advancing.owns_lock()) return; // another thread is at it: what we add goes into the slot of before
    auto current = tick_.load(std::memory_order_relaxed);
    for (auto passed = std::max(current + 1, tick - kSlots + 1); passed <= tick; ++passed) {
        auto& oldest = slots_[static_cast<std::size_t>(passed % kSlots)];
        sum_.fetch_sub(oldest.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
    }
    tick_.store(std::max(current, tick), std::memory_order_release); // only now may it be added to
}

} // namespace flotilla
