#pragma once

// Part of the tests of service/.
#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/stream.hpp>
#include <flotilla/aio/timer_wheel.hpp>
#include <flotilla/bus/bus.hpp>

/// Several hosts on one thread, one clock and one seed: whoever has something to do gets a turn, in an order that the
/// seed decides. For tests only.
namespace flotilla::test {

class SimulatedWorld;

/// The turns: one of a host's loop, or one of a thread that belongs to nobody (a database's writer).
class Simulation {
public:
    explicit Simulation(std::uint64_t seed) : random(seed) {}

    Instant now{std::chrono::seconds(1000)};
    std::mt19937_64 random;
    std::vector<SimulatedWorld*> worlds;
    std::deque<std::move_only_function<void()>> threads;

    /// Between 0 and `below`.
    std::uint64_t dice(std::uint64_t below) { return random() % below; }
    bool chance(unsigned percent) { return dice(100) < percent; }
    Duration up_to(Duration longest) {
        return Duration(static_cast<Duration::rep>(dice(static_cast<std::uint64_t>(longest.count()) + 1)));
    }
    /// One turn of somebody; else moves the clock to the next timer, at most to `until`. False when it is there.
    inline bool step(Instant until);
    void run_until(Instant until) {
        while (step(until)) {
        }
    }
};

/// A host's loop in a simulation. Its wall clock is as wrong as it is told; while it is paused it gets no turns, and
/// time passes.
class SimulatedWorld final : public World {
public:
    SimulatedWorld(Simulation& simulation, Duration skew)
        : simulation_(simulation), skew_(skew), wheel_(simulation.now), random_(simulation.random()) {
        simulation_.worlds.push_back(this);
    }
    ~SimulatedWorld() override { std::erase(simulation_.worlds, this); }

    bool paused = false;

    Timestamp now() const override {
        return Timestamp(1'769'846'400'000'000) + (simulation_.now.time_since_epoch() + skew_);
    }
    Instant monotonic() const override { return simulation_.now; }
    std::uint64_t random() override { return random_(); }
    void post(std::move_only_function<void()> work) override { queue_.push_back(std::move(work)); }
    Result<void> submit_blocking(std::move_only_function<void()> work) override {
        queue_.push_back(std::move(work));
        return {};
    }
    std::unique_ptr<Worker> start_worker(std::string) override { return std::make_unique<Thread>(simulation_); }
    task<Result<std::unique_ptr<Stream>>> connect(Context&, Address) override {
        co_return Error(Kind::unimplemented, "a simulated world has no network");
    }
    Result<std::unique_ptr<Listener>> listen(const Address&, ListenOptions) override {
        return Error(Kind::unimplemented, "a simulated world has no network");
    }

    bool runnable() { return !paused && (!queue_.empty() || due() <= simulation_.now); }
    Instant due() {
        if (paused) return Instant::max();
        return wheel_.next_deadline().value_or(Instant::max());
    }
    void turn() {
        if (!queue_.empty()) {
            auto work = std::move(queue_.front());
            queue_.pop_front();
            work();
        } else {
            wheel_.advance(simulation_.now);
        }
    }
    /// Runs a task to its end, with the others' turns in between.
    template <class T>
    T finish(task<T> work) {
        std::optional<T> result;
        Context context(*this);
        Scope scope(context);
        auto store = [](task<T> inner, std::optional<T>& into) -> task<void> {
            into.emplace(co_await std::move(inner));
        };
        scope.spawn(store(std::move(work), result));
        while (!result && simulation_.step(Instant::max())) {
        }
        return std::move(result.value());
    }

protected:
    void arm(Timer& timer, Instant at) override {
        if (wheel_.empty()) wheel_.advance(simulation_.now);
        wheel_.arm(timer, at);
    }
    void disarm(Timer& timer) override { wheel_.disarm(timer); }

private:
    class Thread final : public Worker {
    public:
        explicit Thread(Simulation& simulation) : simulation_(simulation) {}
        ~Thread() override {
            for (auto& work : simulation_.threads)
                work();
            simulation_.threads.clear();
        }
        void submit(std::move_only_function<void()> work) override { simulation_.threads.push_back(std::move(work)); }

    private:
        Simulation& simulation_;
    };

    Simulation& simulation_;
    Duration skew_;
    TimerWheel wheel_;
    std::mt19937_64 random_;
    std::deque<std::move_only_function<void()>> queue_;
};

inline bool Simulation::step(Instant until) {
    std::vector<SimulatedWorld*> ready;
    std::ranges::copy_if(worlds, std::back_inserter(ready), [](SimulatedWorld* world) { return world->runnable(); });
    const auto choices = ready.size() + (threads.empty() ? 0 : 1);
    if (choices > 0) {
        if (const auto choice = dice(choices); choice < ready.size()) {
            ready[choice]->turn();
        } else {
            auto work = std::move(threads.front());
            threads.pop_front();
            work();
        }
        return true;
    }
    if (now >= until) return false;
    auto next = until;
    for (auto* world : worlds)
        next = std::min(next, world->due());
    now = std::max(next, now + TimerWheel::kTick);
    return true;
}

/// What all hosts of a simulation publish to and consume from, with every message in the order it was accepted.
class SimulatedBroker {
public:
    using Stream = std::pair<std::string, std::uint32_t>;
    struct Member {
        explicit Member(World& owner) : world(owner) {}
        World& world;
        Event ready;
    };

    const std::vector<Message>& accepted(const Stream& stream) { return streams_[stream].messages; }
    void accept(const Message& message) {
        auto& stream = streams_[{message.topic, message.partition}];
        stream.messages.push_back(message);
        for (auto& [name, group] : stream.groups)
            wake(group);
    }
    std::uint64_t last_sequence(const Stream& stream, const std::string& producer) {
        std::uint64_t last = 0;
        for (const auto& message : streams_[stream].messages)
            if (message.producer == producer) last = std::max(last, message.sequence);
        return last;
    }
    void join(const Stream& stream, const std::string& group, std::shared_ptr<Member> member) {
        streams_[stream].groups[group].members.push_back(std::move(member));
    }
    void leave(const Stream& stream, const std::string& group, const Member* member) {
        auto& members = streams_[stream].groups[group].members;
        std::erase_if(members, [&](const auto& each) { return each.get() == member; });
        wake(streams_[stream].groups[group]);
    }
    /// Who came last has the group, with all that others have not acknowledged, as after a broker's patience with one
    /// that hangs.
    std::vector<Delivery> take(const Stream& name, const std::string& group_name, const Member* member,
                               std::size_t count) {
        auto& stream = streams_[name];
        auto& group = stream.groups[group_name];
        std::vector<Delivery> deliveries;
        if (group.members.back().get() != member) return deliveries;
        for (std::size_t place = 0; place < stream.messages.size() && deliveries.size() < count; ++place) {
            auto& owner = group.delivered[place];
            if (owner == member || group.acknowledged.contains(place)) continue;
            owner = member;
            deliveries.push_back({stream.messages[place], std::to_string(place), 1});
        }
        return deliveries;
    }
    void acknowledge(const Stream& stream, const std::string& group, std::span<const std::string> tokens) {
        for (const auto& token : tokens)
            streams_[stream].groups[group].acknowledged[std::stoul(token)] = true;
    }
    void give_back(const Stream& stream, const std::string& group, const std::string& token) {
        streams_[stream].groups[group].delivered[std::stoul(token)] = nullptr;
        wake(streams_[stream].groups[group]);
    }

private:
    struct Group {
        std::map<std::size_t, const Member*> delivered;
        std::map<std::size_t, bool> acknowledged;
        std::vector<std::shared_ptr<Member>> members;
    };
    struct Kept {
        std::vector<Message> messages;
        std::map<std::string, Group> groups;
    };

    static void wake(const Group& group) {
        if (group.members.empty()) return;
        group.members.back()->world.post([member = group.members.back()] { member->ready.notify(); });
    }

    std::map<Stream, Kept> streams_;
};

/// A host's way to the broker: everything takes its time, before it has happened and after.
class SimulatedBus final : public Bus {
public:
    SimulatedBus(Simulation& simulation, World& world, SimulatedBroker& broker)
        : simulation_(simulation), world_(world), broker_(broker) {}

    BusFeatures features() const override { return {}; }
    Result<void> health() const override { return {}; }
    task<Result<void>> publish(Context& context, std::span<const Message> messages) override {
        const std::vector<Message> own(messages.begin(), messages.end());
        co_await must(pass(context));
        for (const auto& message : own)
            broker_.accept(message);
        co_return co_await pass(context);
    }
    task<Result<std::unique_ptr<Subscription>>> subscribe(Context& context, std::string topic, std::uint32_t partition,
                                                          std::string group, std::string) override {
        co_await must(pass(context));
        co_return std::make_unique<Subscribed>(*this, SimulatedBroker::Stream(std::move(topic), partition),
                                               std::move(group));
    }
    std::unique_ptr<ChannelSubscription> listen(std::string, std::string, std::string) override {
        throw std::logic_error("a simulated bus has no channels");
    }
    task<Result<std::uint64_t>> last_sequence(Context& context, std::string topic, std::uint32_t partition,
                                              std::string producer) override {
        co_await must(pass(context));
        co_return broker_.last_sequence({std::move(topic), partition}, producer);
    }

private:
    class Subscribed final : public Subscription {
    public:
        Subscribed(SimulatedBus& bus, SimulatedBroker::Stream stream, std::string group)
            : bus_(bus), stream_(std::move(stream)), group_(std::move(group)),
              member_(std::make_shared<SimulatedBroker::Member>(bus.world_)) {
            bus_.broker_.join(stream_, group_, member_);
        }
        ~Subscribed() override { bus_.broker_.leave(stream_, group_, member_.get()); }

        task<Result<std::vector<Delivery>>> receive(Context& context, std::size_t count) override {
            for (;;) {
                co_await must(bus_.pass(context));
                auto deliveries = bus_.broker_.take(stream_, group_, member_.get(), count);
                if (!deliveries.empty()) co_return deliveries;
                co_await must(member_->ready.wait(context));
            }
        }
        task<Result<void>> acknowledge(Context& context, std::span<const std::string> tokens) override {
            const std::vector<std::string> own(tokens.begin(), tokens.end());
            co_await must(bus_.pass(context));
            bus_.broker_.acknowledge(stream_, group_, own);
            co_return co_await bus_.pass(context);
        }
        task<Result<void>> give_back(Context& context, std::string token, Duration) override {
            co_await must(bus_.pass(context));
            bus_.broker_.give_back(stream_, group_, token);
            co_return Result<void>();
        }

    private:
        SimulatedBus& bus_;
        SimulatedBroker::Stream stream_;
        std::string group_;
        std::shared_ptr<SimulatedBroker::Member> member_;
    };

    task<Result<void>> pass(Context& context) {
        return sleep_for(context, simulation_.up_to(std::chrono::milliseconds(20)));
    }

    Simulation& simulation_;
    World& world_;
    SimulatedBroker& broker_;
};

} // namespace flotilla::test
