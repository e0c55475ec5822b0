#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/redis/redis_connection.hpp>
#include <flotilla/bus/redis/redis_lease.hpp>
#include <flotilla/bus/redis/stream_entry.hpp>

namespace flotilla {

/// One consumer of a group on one stream.
///
/// Single active consumer: whoever holds the lease `flotilla:lease:GROUP:STREAM` reads. It is renewed while receiving
/// and acknowledging. That two may be active for moments is tolerated: the inbox drops what was handled, in the commit
/// that handles it.
///
/// Becoming active, it takes over everything pending, in order, before it asks for new entries. Blocking reads have a
/// connection of their own; one that broke or was cut off may have been given entries that never arrived, so pending
/// entries that were not handed out are looked for again.
/// Thread-safety: none. Requires: the command connection outlives it.
class RedisSubscription final : public Subscription {
public:
    struct Place {
        std::string topic;
        std::uint32_t partition = 0;
        std::string group;
        std::string consumer;
    };
    RedisSubscription(World& world, RedisTarget target, RedisConnection& commands, Place place);

    task<Result<void>> create_group(Context& context);
    task<Result<std::vector<Delivery>>> receive(Context& context, std::size_t count) override;
    task<Result<void>> acknowledge(Context& context, std::span<const std::string> tokens) override;
    task<Result<void>> give_back(Context& context, std::string token, Duration delay) override;

private:
    using EntryIds = std::set<std::string, EntryIdLess>;

    task<Result<std::vector<Delivery>>> receive_some(Context& context, std::size_t count);
    task<Result<std::vector<Delivery>>> claim_pending(Context& context, std::size_t count);
    task<Result<std::vector<Delivery>>> claim_given_back(Context& context, std::size_t count);
    task<Result<std::vector<Delivery>>> read_new(Context& context, std::size_t count);
    task<Result<std::vector<Delivery>>> with_counts(Context& context, std::vector<StreamEntry> entries);
    RedisCommands claim_command(std::string_view from, std::size_t count) const;
    Result<std::vector<Delivery>> hand_out(std::vector<Delivery> deliveries);

    RedisConnection& commands_;
    RedisConnection reader_;
    Place place_;
    std::string stream_;
    RedisLease lease_;
    bool group_created_ = false;
    std::optional<std::string> claim_from_; // where to look on for pending entries
    EntryIds handed_out_;                   // neither acknowledged nor given back
    EntryIds given_back_;
};

} // namespace flotilla
