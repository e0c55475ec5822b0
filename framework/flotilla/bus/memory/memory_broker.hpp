#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/aio/event.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/memory/memory_channels.hpp>

namespace flotilla::memory {

/// One consumer of a group as the broker knows it. `ready` belongs to the consumer's loop; the broker reaches it
/// through World::post only. Shared with posted wake-ups, which may arrive after the consumer has left.
struct Member {
    explicit Member(World& owner) : world(owner) {}
    World& world;
    Event ready;
    bool lost_data = false; ///< the broker was wiped since it last looked; under the broker's lock
};

/// What a process-wide named bus holds. Thread-safe: everything under one lock, held for moments and never across
/// a suspension.
class Broker {
public:
    using StreamName = std::pair<std::string, std::uint32_t>; ///< topic, partition

    static constexpr std::size_t kMessagesKept = 10'000; ///< per stream; beyond, what all groups have handled leaves
    static constexpr std::size_t kMessagesMax = 100'000; ///< per stream; beyond, publishing is refused
    static constexpr std::size_t kBytesMax = 256u << 20; ///< per stream, likewise

    /// The broker of that name; made when nobody has it open.
    static std::shared_ptr<Broker> open(std::string_view name);

    /// Accepts all or none. Errors: unavailable `bus_full`.
    Result<void> publish(std::span<const Message> messages);
    std::uint64_t last_sequence(const StreamName& stream, const std::string& producer);
    void wipe();

    void join(const StreamName& stream, const std::string& group, std::shared_ptr<Member> member);
    /// What the member has not acknowledged comes again, to the group's next active one.
    void leave(const StreamName& stream, const std::string& group, const Member* member);
    /// Deliveries for that member: released ones first, then new ones. Empty while it is not the active one.
    /// Errors: unavailable `bus_lost_group`, once after a wipe.
    Result<std::vector<Delivery>> take(const StreamName& stream, const std::string& group, Member* member,
                                       std::size_t count);
    void acknowledge(const StreamName& stream, const std::string& group, std::span<const std::string> tokens);
    void give_back(const StreamName& stream, const std::string& group, std::string_view token);

    Channels& channels() { return channels_; }

private:
    struct Pending {
        const Member* owner = nullptr; // null: released, to be delivered again
        int delivery_count = 0;
    };
    struct Group {
        std::uint64_t next = 0; // the first position not delivered yet
        std::map<std::uint64_t, Pending> pending;
        std::deque<std::shared_ptr<Member>> members; // the first is the active one
    };
    struct Stream {
        std::deque<Message> kept;
        std::uint64_t first = 1; // position of kept.front()
        std::size_t bytes = 0;
        std::map<std::string, Group> groups;
        std::map<std::string, std::uint64_t> last_sequences; // by producer
    };

    static Delivery deliver(const Stream& stream, std::uint64_t position, int delivery_count);
    static void wake(const std::shared_ptr<Member>& member);
    static void wake_active(const Group& group);
    static void trim(Stream& stream);

    std::mutex mutex_;
    std::map<StreamName, Stream> streams_;
    Channels channels_;
};

} // namespace flotilla::memory
