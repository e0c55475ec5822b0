#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <flotilla/aio/event.hpp>
#include <flotilla/bus/bus.hpp>

namespace flotilla::memory {

/// A listener of a group on a channel. `ready` belongs to its loop; the channels reach it through World::post only.
struct Listener {
    explicit Listener(World& owner) : world(owner) {}
    World& world;
    Event ready;
    Heard heard; ///< not fetched yet; under the channels' lock
    std::size_t bytes = 0;
};

/// The pub/sub channels of a named bus. Thread-safe: everything under one lock, never across a suspension.
class Channels {
public:
    static constexpr std::size_t kPayloadsMax = 10'000; ///< per listener; beyond, what comes is missed
    static constexpr std::size_t kBytesMax = 16u << 20; ///< likewise

    /// Gives the payload to the active listener of each group; how many that are.
    std::size_t publish(const std::string& channel, std::string_view payload);
    void join(const std::string& channel, const std::string& group, std::shared_ptr<Listener> listener);
    void leave(const std::string& channel, const std::string& group, const Listener* listener);
    /// What the listener has heard since it last asked.
    Heard take(Listener& listener);

private:
    using Group = std::deque<std::shared_ptr<Listener>>; // the first is the active one

    std::mutex mutex_;
    std::map<std::string, std::map<std::string, Group>> channels_;
};

} // namespace flotilla::memory
