#include <flotilla/bus/redis/redis_bus.hpp>

#include <algorithm>
#include <iterator>
#include <map>

#include <flotilla/bus/redis/redis_channel.hpp>
#include <flotilla/bus/redis/redis_connection.hpp>
#include <flotilla/bus/redis/redis_subscription.hpp>
#include <flotilla/bus/redis/stream_entry.hpp>
#include <flotilla/bus/redis/stream_trim.hpp>

namespace flotilla {
namespace {

constexpr std::size_t kPublishMessages = 256;
constexpr std::size_t kPublishBytes = 1024 * 1024;
constexpr std::string_view kScanEntries = "256"; // of one page when looking for a producer's last sequence
constexpr int kScanPages = 64;

class RedisBus final : public Bus {
public:
    RedisBus(World& world, RedisTarget target)
        : world_(world), target_(target), connection_(world, std::move(target)) {}

    BusFeatures features() const override { return {.durable = true}; }
    task<Result<void>> publish(Context& context, std::span<const Message> messages) override;
    task<Result<std::unique_ptr<Subscription>>> subscribe(Context& context, std::string topic, std::uint32_t partition,
                                                          std::string group, std::string consumer) override;
    std::unique_ptr<ChannelSubscription> listen(std::string channel, std::string group, std::string consumer) override {
        return std::make_unique<RedisChannel>(
            world_, target_, connection_,
            RedisChannel::Place{std::move(channel), std::move(group), std::move(consumer)});
    }
    task<Result<std::uint64_t>> last_sequence(Context& context, std::string topic, std::uint32_t partition,
                                              std::string producer) override;
    Result<void> health() const override { return connection_.health(); }

private:
    task<Result<void>> publish_some(Context& context, std::span<const Message> messages);
    Error refused(std::string_view reply) const;

    World& world_;
    RedisTarget target_;
    RedisConnection connection_;
    std::map<std::string, StreamTrimmer> trimmers_; // by stream
    std::string trim_failure_;                      // of the last trimming; why a server may be full
};

/// How many of the messages go out together: bounded in number and bytes, at least one.
std::size_t first_chunk(std::span<const Message> messages) {
    std::size_t count = 0, bytes = 0;
    while (count < messages.size() && count < kPublishMessages && (count == 0 || bytes < kPublishBytes)) {
        bytes += messages[count++].payload.size();
    }
    return count;
}

task<Result<void>> RedisBus::publish(Context& context, std::span<const Message> messages) {
    while (!messages.empty()) {
        const auto chunk = messages.first(first_chunk(messages));
        co_await must(publish_some(context, chunk));
        messages = messages.subspan(chunk.size());
    }
    co_return Result<void>();
}

task<Result<void>> RedisBus::publish_some(Context& context, std::span<const Message> messages) {
    RedisCommands commands;
    std::map<std::string, std::size_t> added;
    for (const Message& message : messages) {
        auto stream = stream_name(message.topic, message.partition);
        std::vector<std::string> arguments{"XADD", stream, "*"};
        std::ranges::move(entry_fields(message), std::back_inserter(arguments));
        commands.add(arguments);
        commands.add({"PUBLISH", message.topic, message.payload + std::string(kCopyMark)});
        ++added[std::move(stream)];
    }
    const auto replies = co_await must(connection_.call(context, std::move(commands)));
    for (const auto& reply : replies) {
        if (reply.is_error()) co_return refused(reply.text);
    }
    for (const auto& [stream, count] : added) {
        auto& trimmer = trimmers_.try_emplace(stream, stream).first->second;
        if (!trimmer.due(count)) continue;
        // The messages are accepted, whatever becomes of the trimming: it is tried again after as many more.
        const auto trimmed = co_await trimmer.trim(context, connection_);
        trim_failure_ = trimmed ? std::string() : trimmed.error().message();
    }
    co_return Result<void>();
}

Error RedisBus::refused(std::string_view reply) const {
    auto error = redis_error(reply);
    if (trim_failure_.empty()) return error;
    return Error(error.kind(), error.code(), error.message() + " (trimming failed before: " + trim_failure_ + ")");
}

task<Result<std::unique_ptr<Subscription>>> RedisBus::subscribe(Context& context, std::string topic,
                                                                std::uint32_t partition, std::string group,
                                                                std::string consumer) {
    auto subscription = std::make_unique<RedisSubscription>(
        world_, target_, connection_,
        RedisSubscription::Place{std::move(topic), partition, std::move(group), std::move(consumer)});
    co_await must(subscription->create_group(context));
    co_return std::move(subscription);
}

task<Result<std::uint64_t>> RedisBus::last_sequence(Context& context, std::string topic, std::uint32_t partition,
                                                    std::string producer) {
    const auto stream = stream_name(topic, partition);
    std::string end = "+";
    for (int page = 0; page < kScanPages; ++page) {
        const auto reply = co_await must(
            connection_.call_one(context, RedisCommands{"XREVRANGE", stream, end, "-", "COUNT", kScanEntries}));
        const auto entries = co_await must(parse_entries(reply, topic, partition));
        // What was driven again stands after later ones: take the highest of the page, not the first found.
        std::uint64_t highest = 0;
        for (const auto& entry : entries) {
            if (entry.message.producer == producer) highest = std::max(highest, entry.message.sequence);
        }
        if (highest > 0) co_return highest;
        if (entries.empty()) break;
        end = "(" + entries.back().id;
    }
    co_return std::uint64_t{0};
}

} // namespace

Result<std::unique_ptr<Bus>> open_redis_bus(World& world, std::string_view url) {
    auto target = parse_redis_url(url);
    if (!target) return std::move(target.error());
    return std::make_unique<RedisBus>(world, std::move(*target));
}

} // namespace flotilla
