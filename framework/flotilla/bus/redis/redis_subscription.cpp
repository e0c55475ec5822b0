#include <flotilla/bus/redis/redis_subscription.hpp>

#include <algorithm>
#include <map>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

constexpr Duration kBlock = 2s; // the lease wants to be renewed as often
constexpr std::string_view kStart = "0-0";

std::string milliseconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

Error bad_reply(std::string_view command) {
    return Error(Kind::bad_gateway, "redis_protocol",
                 "redis: the reply to " + std::string(command) + " is not what it should be");
}

} // namespace

RedisSubscription::RedisSubscription(World& world, RedisTarget target, RedisConnection& commands, Place place)
    : commands_(commands), reader_(world, std::move(target)), place_(std::move(place)),
      stream_(stream_name(place_.topic, place_.partition)),
      lease_(world, commands, "flotilla:lease:" + place_.group + ":" + stream_, place_.consumer) {}

task<Result<void>> RedisSubscription::create_group(Context& context) {
    const auto created =
        co_await commands_.call_one(context, RedisCommands{"XGROUP", "CREATE", stream_, place_.group, "0", "MKSTREAM"});
    if (!created && created.error().code() != "redis_BUSYGROUP") co_return created.error();
    group_created_ = true;
    co_return Result<void>();
}

task<Result<std::vector<Delivery>>> RedisSubscription::receive(Context& context, std::size_t count) {
    for (;;) {
        if (!group_created_) co_await must(create_group(context));
        if (co_await must(lease_.hold(context))) claim_from_ = kStart;
        auto deliveries = co_await receive_some(context, count);
        if (!deliveries && is_group_lost(deliveries.error())) {
            group_created_ = false;
            claim_from_.reset();
            handed_out_.clear();
            given_back_.clear();
            co_return Error(Kind::unavailable, "bus_lost_group",
                            "the bus no longer knows the consumer group: it lost its data");
        }
        if (!deliveries || !deliveries->empty()) co_return deliveries;
    }
}

task<Result<std::vector<Delivery>>> RedisSubscription::receive_some(Context& context, std::size_t count) {
    if (claim_from_) co_return co_await claim_pending(context, count);
    if (!given_back_.empty()) co_return co_await claim_given_back(context, count);
    co_return co_await read_new(context, count);
}

RedisCommands RedisSubscription::claim_command(std::string_view from, std::size_t count) const {
    return RedisCommands{"XAUTOCLAIM", stream_, place_.group, place_.consumer,
                         "0",          from,    "COUNT",      std::to_string(count)};
}

task<Result<std::vector<Delivery>>> RedisSubscription::claim_pending(Context& context, std::size_t count) {
    const auto reply = co_await must(commands_.call_one(context, claim_command(*claim_from_, count)));
    if (reply.items.size() < 2) co_return bad_reply("XAUTOCLAIM");
    auto entries = co_await must(parse_entries(reply.items[1], place_.topic, place_.partition));
    const auto next = reply.items[0].text == kStart ? std::optional<std::string>() : std::optional(reply.items[0].text);
    std::erase_if(entries, [&](const StreamEntry& entry) { return handed_out_.contains(entry.id); });
    auto deliveries = co_await must(with_counts(context, std::move(entries)));
    claim_from_ = next; // only now: on an error above these entries are asked for again
    co_return hand_out(std::move(deliveries));
}

task<Result<std::vector<Delivery>>> RedisSubscription::claim_given_back(Context& context, std::size_t count) {
    RedisCommands commands;
    std::vector<std::string> ids;
    for (auto id = given_back_.begin(); id != given_back_.end() && ids.size() < count; ++id) {
        ids.push_back(*id);
        commands.add({"XAUTOCLAIM", stream_, place_.group, place_.consumer, "0", *id, "COUNT", "1"});
    }
    const auto replies = co_await must(commands_.call(context, std::move(commands)));
    std::vector<StreamEntry> entries;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (replies[i].is_error()) co_return redis_error(replies[i].text);
        if (replies[i].items.size() < 2) co_return bad_reply("XAUTOCLAIM");
        auto claimed = co_await must(parse_entries(replies[i].items[1], place_.topic, place_.partition));
        // Another entry means that this one is gone, or acknowledged meanwhile.
        if (!claimed.empty() && claimed.front().id == ids[i]) entries.push_back(std::move(claimed.front()));
    }
    auto deliveries = co_await must(with_counts(context, std::move(entries)));
    for (const auto& id : ids)
        given_back_.erase(id);
    co_return hand_out(std::move(deliveries));
}

/// XAUTOCLAIM does not tell how often an entry was delivered; XPENDING does.
task<Result<std::vector<Delivery>>> RedisSubscription::with_counts(Context& context, std::vector<StreamEntry> entries) {
    std::vector<Delivery> deliveries;
    if (entries.empty()) co_return deliveries;
    RedisCommands commands;
    for (const auto& entry : entries)
        commands.add({"XPENDING", stream_, place_.group, entry.id, entry.id, "1"});
    const auto replies = co_await must(commands_.call(context, std::move(commands)));
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto& reply = replies[i];
        if (reply.is_error()) co_return redis_error(reply.text);
        if (reply.items.empty()) continue; // acknowledged by the earlier consumer after all
        if (reply.items.front().items.size() < 4) co_return bad_reply("XPENDING");
        const auto count = static_cast<int>(reply.items.front().items[3].integer);
        deliveries.push_back({std::move(entries[i].message), std::move(entries[i].id), count});
    }
    co_return deliveries;
}

task<Result<std::vector<Delivery>>> RedisSubscription::read_new(Context& context, std::size_t count) {
    const auto block = std::clamp<Duration>(context.remaining(), 1ms, kBlock);
    auto replies = co_await reader_.call(context,
                                         RedisCommands{"XREADGROUP", "GROUP", place_.group, place_.consumer, "COUNT",
                                                       std::to_string(count), "BLOCK", milliseconds(block), "STREAMS",
                                                       stream_, ">"},
                                         block + RedisConnection::kTimeout);
    if (!replies) {
        reader_.reset();
        claim_from_ = kStart;
        co_return std::move(replies.error());
    }
    const auto& reply = replies->front();
    if (reply.is_error()) co_return redis_error(reply.text);
    std::vector<Delivery> deliveries;
    if (reply.is_null()) co_return deliveries;
    // [[stream, [entry, ...]]], or in RESP3 a map.
    const auto& stream = reply.type == resp::Value::Type::map || reply.items.empty() ? reply : reply.items.front();
    if (stream.items.size() != 2) co_return bad_reply("XREADGROUP");
    auto entries = co_await must(parse_entries(stream.items[1], place_.topic, place_.partition));
    for (auto& entry : entries)
        deliveries.push_back({std::move(entry.message), std::move(entry.id), 1});
    co_return hand_out(std::move(deliveries));
}

Result<std::vector<Delivery>> RedisSubscription::hand_out(std::vector<Delivery> deliveries) {
    for (const auto& delivery : deliveries) {
        handed_out_.insert(delivery.token);
        given_back_.erase(delivery.token);
    }
    return deliveries;
}

task<Result<void>> RedisSubscription::acknowledge(Context& context, std::span<const std::string> tokens) {
    if (tokens.empty()) co_return context.check();
    RedisCommands commands;
    std::vector<std::string> arguments{"XACK", stream_, place_.group};
    arguments.insert(arguments.end(), tokens.begin(), tokens.end());
    commands.add(arguments);
    co_await must(commands_.call_one(context, std::move(commands)));
    for (const auto& token : tokens) {
        handed_out_.erase(token);
        given_back_.erase(token);
    }
    // A consumer that handles a long batch keeps its lease.
    if (lease_.active() && co_await must(lease_.renew(context))) claim_from_ = kStart;
    co_return Result<void>();
}

task<Result<void>> RedisSubscription::give_back(Context& context, std::string token, Duration) {
    co_await must(context.check());
    if (handed_out_.erase(token) > 0) given_back_.insert(std::move(token));
    co_return Result<void>();
}

} // namespace flotilla
