#include <flotilla/discovery/watched_service.hpp>

#include <algorithm>
#include <set>

namespace flotilla {

void add_missing(std::vector<Instance>& into, const std::vector<Instance>& from) {
    std::set<std::string, std::less<>> ids, addresses;
    for (const auto& each : into) {
        ids.insert(each.id);
        addresses.insert(each.address.to_string());
    }
    for (const auto& each : from) {
        if (!ids.contains(each.id) && !addresses.contains(each.address.to_string())) into.push_back(each);
    }
    std::ranges::sort(into, {}, &Instance::id);
}

WatchedService::WatchedService(Shared shared, std::string asked_as, ServiceName name)
    : shared_(shared), asked_as_(std::move(asked_as)), name_(std::move(name)),
      settled_(shared.world, &WatchedService::on_settled, this),
      count_(shared.metrics.gauge("flotilla_discovery_instances", "Instances of a service that are known.",
                                  {{"service", asked_as_}})),
      changes_(shared.metrics.counter("flotilla_discovery_changes_total",
                                      "Changes of the known instances of a service.", {{"service", asked_as_}})) {
    const auto cached = shared_.cache.known().find(asked_as_);
    instances_ = cached != shared_.cache.known().end() ? cached->second : std::make_shared<std::vector<Instance>>();
    count_.set(static_cast<std::int64_t>(instances_->size()));
}

bool WatchedService::take(std::vector<Instance> found) {
    std::ranges::sort(found, {}, &Instance::id);
    error_.reset();
    shared_.outage.answered(failing_);
    if (std::exchange(doubted_, false)) settled_.arm(shared_.world.monotonic() + shared_.settling);
    if (settled_.armed()) {
        settling_to_ = found;
        add_missing(found, *instances_);
    }
    const bool first = !std::exchange(answered_, true);
    const bool changed = replace(std::move(found));
    if (first || changed) tell();
    return first || changed;
}

/// Returns whether that is another list.
bool WatchedService::replace(std::vector<Instance> list) {
    if (*instances_ == list) return false;
    instances_ = std::make_shared<const std::vector<Instance>>(std::move(list));
    changes_.add();
    count_.set(static_cast<std::int64_t>(instances_->size()));
    return true;
}

void WatchedService::tell() {
    shared_.cache.put(asked_as_, instances_);
    changed_.notify_all();
}

void WatchedService::on_settled(void* self) {
    auto& service = *static_cast<WatchedService*>(self);
    if (service.replace(std::exchange(service.settling_to_, {}))) service.tell();
}

void WatchedService::fail(Error why) {
    shared_.outage.failed(failing_, why);
    error_ = std::move(why);
    settled_.disarm(); // what it said last may have been a part
    doubt();
}

} // namespace flotilla
