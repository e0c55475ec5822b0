#include <flotilla/aio/time_spent.hpp>

#include <algorithm>

namespace flotilla {

Duration TimeSpent::overlap() const {
    Duration sum{};
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
        if (kind != index(On::database) && kind != index(On::offload)) sum += kinds_[kind].total;
    }
    for (const auto& part : parts_)
        sum += part.total;
    return sum - waited_.total;
}

void TimeSpent::note_slowest(Duration took, std::initializer_list<std::string_view> name) {
    slowest_ = took;
    std::size_t size = 0;
    for (const auto piece : name)
        size += piece.copy(name_.data() + size, name_.size() - size);
    name_size_ = static_cast<std::uint8_t>(size);
}

Instant TimeSpent::count(On kind, Part part, Instant from, Duration lasted, Instant now) {
    auto& counted = parts_[static_cast<std::size_t>(part)];
    const Instant to = lasted < now - from ? from + std::max(lasted, Duration::zero()) : now;
    if (const Instant span = kinds_[index(kind)].since; counted.span != span) {
        counted = {.total = counted.total, .span = span, .first = from, .until = from};
    }
    Duration fresh{};
    if (from >= counted.until) {
        fresh = to - from;
    } else if (from > counted.first) {
        fresh = to > counted.until ? to - counted.until : Duration::zero();
    } else {
        // It began before all that was counted in this span; mostly it covers that.
        fresh = to >= counted.until ? (to - from) - counted.in_span : std::min(to, counted.first) - from;
        counted.first = from;
    }
    counted.total += fresh;
    counted.in_span += fresh;
    counted.until = std::max(counted.until, to);
    return to;
}

// The other thread measures on the wall clock, which may be set: what it says is cut to the interval. That ends now,
// not when this turn began: the work may have ended while the loop was held up in it.
void TimeSpent::Interval::divide(Duration queued, Duration worked, Duration commit) {
    if (spent_ == nullptr) return;
    divided_ = true;
    const Instant now = spent_->world_.refresh();
    const bool database = kind_ == On::database;
    Instant at = spent_->count(kind_, database ? Part::database_queue : Part::offload_queue, begin_, queued, now);
    at = spent_->count(kind_, database ? Part::database_body : Part::offload_run, at, worked, now);
    if (database) at = spent_->count(kind_, Part::database_commit, at, commit, now);
    spent_->count(kind_, database ? Part::database_return : Part::offload_return, at, Duration::max(), now);
}

} // namespace flotilla
