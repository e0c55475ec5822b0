#include <flotilla/bus/memory/memory_channels.hpp>

#include <algorithm>
#include <utility>

namespace flotilla::memory {

std::size_t Channels::publish(const std::string& channel, std::string_view payload) {
    const std::lock_guard lock(mutex_);
    const auto groups = channels_.find(channel);
    if (groups == channels_.end()) return 0;
    for (auto& [name, group] : groups->second) {
        const auto& listener = group.front();
        if (listener->heard.payloads.size() == kPayloadsMax || listener->bytes + payload.size() > kBytesMax) {
            ++listener->heard.missed;
        } else {
            listener->heard.payloads.emplace_back(payload);
            listener->bytes += payload.size();
        }
        // Posting under the lock: a listener leaves under the lock before its world ends, so the world is alive here.
        listener->world.post([listener] { listener->ready.notify(); });
    }
    return groups->second.size();
}

void Channels::join(const std::string& channel, const std::string& group, std::shared_ptr<Listener> listener) {
    const std::lock_guard lock(mutex_);
    channels_[channel][group].push_back(std::move(listener));
}

void Channels::leave(const std::string& channel, const std::string& group, const Listener* listener) {
    const std::lock_guard lock(mutex_);
    auto& groups = channels_[channel];
    std::erase_if(groups[group], [&](const auto& each) { return each.get() == listener; });
    if (groups[group].empty()) groups.erase(group);
    if (groups.empty()) channels_.erase(channel);
}

Heard Channels::take(Listener& listener) {
    const std::lock_guard lock(mutex_);
    listener.bytes = 0;
    return std::exchange(listener.heard, {});
}

} // namespace flotilla::memory
