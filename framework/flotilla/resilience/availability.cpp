#include <flotilla/resilience/availability.hpp>

#include <algorithm>
#include <utility>

namespace flotilla {

void Availability::refresh(const TargetOptions& options, Instances instances, Instant now) {
    if (now < next_refresh_) return;
    usable_.clear();
    half_open_.clear();
    not_closed_.clear();
    for (auto* list : {&usable_, &own_zone_, &half_open_, &not_closed_})
        list->reserve(instances.size());
    next_refresh_ = Instant::max();
    for (auto* instance : instances) {
        instance->breaker.advance(options.breaker, now);
        next_refresh_ = std::min(next_refresh_, instance->breaker.next_change());
        const auto state = instance->breaker.state();
        (state == BreakerState::closed ? usable_ : not_closed_).push_back(instance);
        if (state == BreakerState::half_open) half_open_.push_back(instance);
    }
    const bool panicked = std::exchange(panic_, !instances.empty() && usable_.empty());
    if (panicked && !panic_) try_out_all(now);
    use_some_nevertheless(options.availability, instances.size());
    weight_max_ = usable_.empty() ? 0 : std::ranges::max(usable_, {}, &InstanceState::weight)->weight;
    weights_differ_ = !std::ranges::all_of(usable_, [&](const auto* one) { return one->weight == weight_max_; });
    prefer_own_zone(options.balancing, instances);
}

void Availability::try_out_all(Instant now) {
    for (auto* instance : not_closed_)
        instance->breaker.give_chance(now, BreakerCause::others_recovered);
    half_open_ = not_closed_;
}

void Availability::use_some_nevertheless(const AvailabilityOptions& options, std::size_t all) {
    const auto out_max = static_cast<std::size_t>(static_cast<double>(all) * options.out_max);
    if (panic_)
        used_nevertheless_ = options.panic ? not_closed_.size() : 0;
    else
        used_nevertheless_ = not_closed_.size() > out_max ? not_closed_.size() - out_max : 0;
    out_ = not_closed_.size() - used_nevertheless_;
    if (used_nevertheless_ == 0) return;
    const auto rank = [](const InstanceState* instance) {
        return std::pair(instance->breaker.state() == BreakerState::open, instance->breaker.open_until());
    };
    std::ranges::sort(not_closed_, std::ranges::less(), rank);
    usable_.insert(usable_.end(), not_closed_.begin(),
                   not_closed_.begin() + static_cast<std::ptrdiff_t>(used_nevertheless_));
}

void Availability::prefer_own_zone(const BalancingOptions& options, Instances instances) {
    own_zone_.clear();
    zone_first_ = false;
    if (panic_) return; // what is known about any of them is not to be trusted
    const auto own = static_cast<std::size_t>(std::ranges::count_if(instances, &InstanceState::own_zone));
    if (own == 0 || own == instances.size()) return;
    std::ranges::copy_if(usable_, std::back_inserter(own_zone_), &InstanceState::own_zone);
    zone_first_ = !own_zone_.empty() &&
                  static_cast<double>(own_zone_.size()) >= static_cast<double>(own) * options.zone_healthy_min;
}

std::optional<bool> Availability::take_panic_change() {
    if (panic_ == told_panic_) return std::nullopt;
    return told_panic_ = panic_;
}

} // namespace flotilla
