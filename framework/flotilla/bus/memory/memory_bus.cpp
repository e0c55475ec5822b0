#include <flotilla/bus/memory/memory_bus.hpp>

#include <flotilla/bus/memory/memory_broker.hpp>

namespace flotilla {
namespace {

using memory::Broker;
using memory::Member;

class MemorySubscription final : public Subscription {
public:
    MemorySubscription(World& world, std::shared_ptr<Broker> broker, Broker::StreamName stream, std::string group)
        : broker_(std::move(broker)), stream_(std::move(stream)), group_(std::move(group)),
          member_(std::make_shared<Member>(world)) {
        broker_->join(stream_, group_, member_);
    }
    ~MemorySubscription() override { broker_->leave(stream_, group_, member_.get()); }

    task<Result<std::vector<Delivery>>> receive(Context& context, std::size_t count) override {
        for (;;) {
            co_await must(context.check());
            auto deliveries = co_await must(broker_->take(stream_, group_, member_.get(), count));
            if (!deliveries.empty()) co_return deliveries;
            co_await must(member_->ready.wait(context));
        }
    }
    task<Result<void>> acknowledge(Context& context, std::span<const std::string> tokens) override {
        co_await must(context.check());
        broker_->acknowledge(stream_, group_, tokens);
        co_return Result<void>();
    }
    task<Result<void>> give_back(Context& context, std::string token, Duration) override {
        co_await must(context.check());
        broker_->give_back(stream_, group_, token);
        co_return Result<void>();
    }

private:
    std::shared_ptr<Broker> broker_;
    Broker::StreamName stream_;
    std::string group_;
    std::shared_ptr<Member> member_;
};

class MemoryChannel final : public ChannelSubscription {
public:
    MemoryChannel(World& world, std::shared_ptr<Broker> broker, std::string channel, std::string group)
        : broker_(std::move(broker)), channel_(std::move(channel)), group_(std::move(group)),
          listener_(std::make_shared<memory::Listener>(world)) {}
    ~MemoryChannel() override {
        if (joined_) broker_->channels().leave(channel_, group_, listener_.get());
    }

    task<Result<Heard>> receive(Context& context) override {
        if (!std::exchange(joined_, true)) broker_->channels().join(channel_, group_, listener_);
        for (;;) {
            co_await must(context.check());
            auto heard = broker_->channels().take(*listener_);
            if (!heard.payloads.empty() || heard.missed > 0) co_return heard;
            co_await must(listener_->ready.wait(context));
        }
    }

private:
    std::shared_ptr<Broker> broker_;
    std::string channel_;
    std::string group_;
    std::shared_ptr<memory::Listener> listener_;
    bool joined_ = false;
};

class MemoryBus final : public Bus {
public:
    MemoryBus(World& world, std::shared_ptr<Broker> broker) : world_(world), broker_(std::move(broker)) {}

    BusFeatures features() const override { return {}; }
    task<Result<void>> publish(Context& context, std::span<const Message> messages) override {
        co_await must(context.check());
        co_return broker_->publish(messages);
    }
    task<Result<std::unique_ptr<Subscription>>> subscribe(Context& context, std::string topic, std::uint32_t partition,
                                                          std::string group, std::string) override {
        co_await must(context.check());
        co_return std::make_unique<MemorySubscription>(world_, broker_, Broker::StreamName(std::move(topic), partition),
                                                       std::move(group));
    }
    std::unique_ptr<ChannelSubscription> listen(std::string channel, std::string group, std::string) override {
        return std::make_unique<MemoryChannel>(world_, broker_, std::move(channel), std::move(group));
    }
    task<Result<std::uint64_t>> last_sequence(Context& context, std::string topic, std::uint32_t partition,
                                              std::string producer) override {
        co_await must(context.check());
        co_return broker_->last_sequence({std::move(topic), partition}, producer);
    }
    Result<void> health() const override { return {}; }

private:
    World& world_;
    std::shared_ptr<Broker> broker_;
};

constexpr std::string_view kScheme = "memory:";

} // namespace

Result<std::unique_ptr<Bus>> open_memory_bus(World& world, std::string_view url) {
    const auto name = url.substr(kScheme.size());
    if (name.empty()) return Error(Kind::invalid, "invalid_bus_url", "a memory bus has a name: memory:NAME");
    return std::make_unique<MemoryBus>(world, Broker::open(name));
}

std::size_t publish_on_memory_channel(std::string_view name, const std::string& channel, std::string_view payload) {
    return Broker::open(name)->channels().publish(channel, payload);
}

void wipe_memory_bus(std::string_view name) { Broker::open(name)->wipe(); }

} // namespace flotilla
