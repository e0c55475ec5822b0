#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <random>

#include <flotilla/aio/event.hpp>
#include <flotilla/bus/bus.hpp>

namespace flotilla::bus_testing {

/// A bus that misbehaves as it is told, over a real one. For tests only. Thread-safety: none.
class FaultyBus final : public Bus {
public:
    explicit FaultyBus(std::unique_ptr<Bus> inner, unsigned seed = 1) : inner_(std::move(inner)), random_(seed) {}

    bool down = false;                        ///< nothing works
    bool hangs = false;                       ///< publish does not return before release() or the context's end
    bool lose_answers = false;                ///< publish succeeds and says that it did not
    bool lose_acknowledgements = false;       ///< acknowledge does nothing and says so
    int duplicates_percent = 0;               ///< of what is published
    std::size_t reorder_within = 0;           ///< shuffles what is published, in windows of this size
    std::function<bool(const Message&)> drop; ///< true: accepted, and gone
    std::size_t dropped = 0;
    Event called;                  ///< notified after each publish and last_sequence, whatever came of it
    bool hanging = false;          ///< somebody is caught in publish
    std::size_t calls = 0;         ///< of publish and last_sequence, once they are done
    std::vector<Message> accepted; ///< in the order the bus below got them

    void release() {
        hangs = false;
        released_.notify();
    }

    BusFeatures features() const override { return inner_->features(); }
    Result<void> health() const override { return check(); }

    task<Result<void>> publish(Context& context, std::span<const Message> messages) override {
        if (hangs) {
            hanging = true;
            called.notify();
            co_await must(released_.wait(context));
            hanging = false;
        }
        auto outcome = co_await publish_faultily(context, disturbed(messages));
        ++calls;
        called.notify();
        co_return outcome;
    }
    task<Result<std::unique_ptr<Subscription>>> subscribe(Context& context, std::string topic, std::uint32_t partition,
                                                          std::string group, std::string consumer) override {
        co_await must(check());
        auto inner = co_await must(
            inner_->subscribe(context, std::move(topic), partition, std::move(group), std::move(consumer)));
        co_return std::make_unique<FaultySubscription>(*this, std::move(inner));
    }
    std::unique_ptr<ChannelSubscription> listen(std::string channel, std::string group, std::string consumer) override {
        return inner_->listen(std::move(channel), std::move(group), std::move(consumer));
    }
    task<Result<std::uint64_t>> last_sequence(Context& context, std::string topic, std::uint32_t partition,
                                              std::string producer) override {
        auto outcome = check()
                           ? co_await inner_->last_sequence(context, std::move(topic), partition, std::move(producer))
                           : Result<std::uint64_t>(check().error());
        ++calls;
        called.notify();
        co_return outcome;
    }

private:
    class FaultySubscription final : public Subscription {
    public:
        FaultySubscription(FaultyBus& bus, std::unique_ptr<Subscription> inner) : bus_(bus), inner_(std::move(inner)) {}
        task<Result<std::vector<Delivery>>> receive(Context& context, std::size_t count) override {
            co_await must(bus_.check());
            co_return co_await inner_->receive(context, count);
        }
        task<Result<void>> acknowledge(Context& context, std::span<const std::string> tokens) override {
            co_await must(bus_.check());
            if (bus_.lose_acknowledgements) co_return Error(Kind::unavailable, "the acknowledgement was lost");
            co_return co_await inner_->acknowledge(context, tokens);
        }
        task<Result<void>> give_back(Context& context, std::string token, Duration delay) override {
            co_return co_await inner_->give_back(context, std::move(token), delay);
        }

    private:
        FaultyBus& bus_;
        std::unique_ptr<Subscription> inner_;
    };

    Result<void> check() const {
        if (down) return Error(Kind::unavailable, "the bus is down");
        return {};
    }
    task<Result<void>> publish_faultily(Context& context, std::vector<Message> messages) {
        co_await must(check());
        co_await must(inner_->publish(context, messages));
        accepted.insert(accepted.end(), messages.begin(), messages.end());
        if (lose_answers) co_return Error(Kind::unavailable, "the answer was lost");
        co_return Result<void>();
    }
    std::vector<Message> disturbed(std::span<const Message> messages) {
        std::vector<Message> disturbed;
        for (const auto& message : messages) {
            if (drop && drop(message)) {
                ++dropped;
                continue;
            }
            disturbed.push_back(message);
            if (static_cast<int>(random_() % 100) < duplicates_percent) disturbed.push_back(message);
        }
        for (std::size_t at = 0; reorder_within > 0 && at < disturbed.size(); at += reorder_within) {
            const auto end = std::min(at + reorder_within, disturbed.size());
            std::shuffle(disturbed.begin() + static_cast<std::ptrdiff_t>(at),
                         disturbed.begin() + static_cast<std::ptrdiff_t>(end), random_);
        }
        return disturbed;
    }

    std::unique_ptr<Bus> inner_;
    std::mt19937 random_;
    Event released_;
};

} // namespace flotilla::bus_testing
