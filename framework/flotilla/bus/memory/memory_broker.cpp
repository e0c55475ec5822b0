#include <flotilla/bus/memory/memory_broker.hpp>

#include <algorithm>
#include <charconv>

namespace flotilla::memory {
namespace {

std::size_t bytes_of(const Message& message) { return message.payload.size() + message.key.size() + sizeof(Message); }

/// 0 names no position.
std::uint64_t position_of(std::string_view token) {
    std::uint64_t position = 0;
    const auto parsed = std::from_chars(token.data(), token.data() + token.size(), position);
    return parsed.ec == std::errc() && parsed.ptr == token.data() + token.size() ? position : 0;
}

} // namespace

std::shared_ptr<Broker> Broker::open(std::string_view name) {
    // Process-wide by definition: loops that know nothing of each other meet here by name.
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<Broker>, std::less<>> brokers;
    const std::lock_guard lock(mutex);
    auto& slot = brokers[std::string(name)];
    auto broker = slot.lock();
    if (!broker) slot = broker = std::make_shared<Broker>();
    return broker;
}

Result<void> Broker::publish(std::span<const Message> messages) {
    const std::lock_guard lock(mutex_);
    std::map<Stream*, std::pair<std::size_t, std::size_t>> added; // messages, bytes
    for (const Message& message : messages) {
        auto& [count, bytes] = added[&streams_[{message.topic, message.partition}]];
        ++count;
        bytes += bytes_of(message);
    }
    for (auto& [stream, amount] : added) {
        if (stream->kept.size() + amount.first > kMessagesKept || stream->bytes + amount.second > kBytesMax)
            trim(*stream);
        if (stream->kept.size() + amount.first > kMessagesMax || stream->bytes + amount.second > kBytesMax) {
            return Error(Kind::unavailable, "bus_full", "the memory bus is full: a consumer group does not keep up");
        }
    }
    for (const Message& message : messages) {
        auto& stream = streams_[{message.topic, message.partition}];
        stream.bytes += bytes_of(message);
        auto& last = stream.last_sequences[message.producer];
        last = std::max(last, message.sequence);
        stream.kept.push_back(message);
    }
    for (auto& [stream, amount] : added) {
        for (auto& [name, group] : stream->groups)
            wake_active(group);
    }
    return {};
}

void Broker::trim(Stream& stream) {
    std::uint64_t slowest = stream.first + stream.kept.size();
    for (const auto& [name, group] : stream.groups) {
        slowest = std::min(slowest, group.pending.empty() ? group.next : group.pending.begin()->first);
    }
    // A stream nobody has joined keeps the newest: a later group starts there.
    const std::size_t keep = stream.groups.empty() ? kMessagesKept / 2 : 0;
    while (stream.kept.size() > keep && stream.first < slowest) {
        stream.bytes -= bytes_of(stream.kept.front());
        stream.kept.pop_front();
        ++stream.first;
    }
}

std::uint64_t Broker::last_sequence(const StreamName& name, const std::string& producer) {
    const std::lock_guard lock(mutex_);
    const auto stream = streams_.find(name);
    if (stream == streams_.end()) return 0;
    const auto last = stream->second.last_sequences.find(producer);
    return last == stream->second.last_sequences.end() ? 0 : last->second;
}

void Broker::wipe() {
    const std::lock_guard lock(mutex_);
    for (auto& [name, stream] : streams_) {
        stream.first += stream.kept.size(); // tokens of lost messages never name new ones
        stream.kept.clear();
        stream.bytes = 0;
        stream.last_sequences.clear();
        for (auto& [group_name, group] : stream.groups) {
            group.pending.clear();
            group.next = stream.first;
            for (const auto& member : group.members) {
                member->lost_data = true;
                wake(member);
            }
        }
    }
}

void Broker::join(const StreamName& name, const std::string& group_name, std::shared_ptr<Member> member) {
    const std::lock_guard lock(mutex_);
    auto& stream = streams_[name];
    auto [group, created] = stream.groups.try_emplace(group_name);
    if (created) group->second.next = stream.first;
    group->second.members.push_back(std::move(member));
}

void Broker::leave(const StreamName& name, const std::string& group_name, const Member* member) {
    const std::lock_guard lock(mutex_);
    auto& group = streams_[name].groups[group_name];
    std::erase_if(group.members, [&](const auto& each) { return each.get() == member; });
    for (auto& [position, pending] : group.pending) {
        if (pending.owner == member) pending.owner = nullptr;
    }
    wake_active(group);
}

Result<std::vector<Delivery>> Broker::take(const StreamName& name, const std::string& group_name, Member* member,
                                           std::size_t count) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(member->lost_data, false)) {
        return Error(Kind::unavailable, "bus_lost_group",
                     "the bus no longer knows the consumer group: it lost its data");
    }
    auto& stream = streams_[name];
    auto& group = stream.groups[group_name];
    std::vector<Delivery> deliveries;
    if (group.members.empty() || group.members.front().get() != member) return deliveries;
    for (auto& [position, pending] : group.pending) {
        if (deliveries.size() == count) return deliveries;
        if (pending.owner != nullptr) continue;
        pending.owner = member;
        deliveries.push_back(deliver(stream, position, ++pending.delivery_count));
    }
    for (; deliveries.size() < count && group.next < stream.first + stream.kept.size(); ++group.next) {
        group.pending[group.next] = {member, 1};
        deliveries.push_back(deliver(stream, group.next, 1));
    }
    return deliveries;
}

Delivery Broker::deliver(const Stream& stream, std::uint64_t position, int delivery_count) {
    return {stream.kept[position - stream.first], std::to_string(position), delivery_count};
}

void Broker::acknowledge(const StreamName& name, const std::string& group_name, std::span<const std::string> tokens) {
    const std::lock_guard lock(mutex_);
    auto& pending = streams_[name].groups[group_name].pending;
    for (const auto& token : tokens)
        pending.erase(position_of(token));
}

void Broker::give_back(const StreamName& name, const std::string& group_name, std::string_view token) {
    const std::lock_guard lock(mutex_);
    auto& group = streams_[name].groups[group_name];
    const auto found = group.pending.find(position_of(token));
    if (found == group.pending.end()) return; // acknowledged meanwhile, or wiped
    found->second.owner = nullptr;
    wake_active(group);
}

void Broker::wake(const std::shared_ptr<Member>& member) {
    // Posting under the lock: a member leaves under the lock before its world ends, so the world is alive here.
    member->world.post([member] { member->ready.notify(); });
}

void Broker::wake_active(const Group& group) {
    if (!group.members.empty()) wake(group.members.front());
}

} // namespace flotilla::memory
