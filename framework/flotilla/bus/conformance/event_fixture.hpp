#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <flotilla/bus/channel_consumer.hpp>
#include <flotilla/bus/conformance/faulty_bus.hpp>
#include <flotilla/bus/conformance/test_support.hpp>
#include <flotilla/bus/inbox.hpp>
#include <flotilla/bus/memory/memory_bus.hpp>
#include <flotilla/bus/outbox.hpp>
#include <flotilla/store/framework_tables.hpp>

namespace flotilla::bus_testing {

inline constexpr std::string_view kEffects =
    "CREATE TABLE effects (position BIGINT NOT NULL PRIMARY KEY, event_id TEXT NOT NULL,"
    " key TEXT NOT NULL, sequence BIGINT NOT NULL, traceparent TEXT NOT NULL);";
inline constexpr std::array kEffectMigrations{Migration{1, "0001_effects", kEffects}};

inline constexpr Statement<std::string, std::string, std::uint64_t, std::string_view> kWriteEffect{
    "INSERT INTO effects (position, event_id, key, sequence, traceparent)"
    " VALUES ((SELECT coalesce(max(position), 0) + 1 FROM effects), $1, $2, $3, $4)"};

/// What a test handler leaves behind, in the order of handling.
struct Effect {
    std::string event_id;
    std::string key;
    std::uint64_t sequence = 0;
    std::string traceparent;
};

/// A publishing and a consuming service on one loop, each with its own SQLite file, over a faulty in-memory bus that
/// outlives restarts. For tests only.
class EventFixture {
public:
    explicit EventFixture(Context& context, std::string bus_url = {}) : context_(context), world_(context.world()) {
        static std::atomic<int> next{0};
        bus_name_ = "events-" + std::to_string(next++);
        bus = std::make_unique<FaultyBus>(want(open_bus(world_, bus_url.empty() ? "memory:" + bus_name_ : bus_url)));
    }

    task<void> open() {
        publisher = want(open_database(world_, "sqlite:" + (folder_.path() / "publisher.db").string(), "shop"));
        consumer = want(open_database(world_, "sqlite:" + (folder_.path() / "consumer.db").string(), "mail"));
        want(co_await publisher->migrate(context_, "flotilla", framework_migrations()));
        want(co_await consumer->migrate(context_, "flotilla", framework_migrations()));
        want(co_await consumer->migrate(context_, "service", kEffectMigrations));
        publishing_ = co_await hold(*publisher);
        consuming_ = co_await hold(*consumer);
        handled_signal_ = consumer->on_signal("effects", [this] { handled.notify(); });
    }
    void wipe_bus() { wipe_memory_bus(bus_name_); }

    /// Commits one event per key, in one transaction.
    task<void> place(std::vector<std::string> keys, std::string topic = "order.created") {
        want(co_await publisher->transact(context_, [keys, topic](Transaction& transaction) {
            for (const auto& key : keys)
                publish_event(transaction, topic, 0, key, "{}");
        }));
    }

    std::unique_ptr<OutboxRelay> make_relay(OutboxRelay::Options options = {
                                                .retry_min = std::chrono::milliseconds(1),
                                                .retry_max = std::chrono::milliseconds(20)}) {
        return std::make_unique<OutboxRelay>(world_, *publishing_, *bus, "shop", telemetry, options);
    }
    /// The handler writes an Effect, unless `refuse` has an error for the message.
    std::unique_ptr<Consumer> make_consumer(std::function<Result<void>(const Message&)> refuse = {},
                                            Consumer::Options options = fast()) {
        return std::make_unique<Consumer>(world_, *consuming_, *bus, mail(), handler(std::move(refuse)), telemetry,
                                          options);
    }
    std::unique_ptr<ChannelConsumer> make_channel_consumer(std::function<Result<void>(const Message&)> refuse = {},
                                                           ChannelConsumer::Options options = {}) {
        options.attempts_max = 3;
        options.retry_min = std::chrono::milliseconds(1);
        options.retry_max = std::chrono::milliseconds(4);
        return std::make_unique<ChannelConsumer>(world_, *consuming_, *bus, mail(), handler(std::move(refuse)),
                                                 telemetry, options);
    }
    /// As a program that knows no streams would; waits until somebody listens.
    task<void> publish_on_channel(std::string payload) {
        while (publish_on_memory_channel(bus_name_, "order.created", payload) == 0)
            want(co_await sleep_for(context_, std::chrono::milliseconds(1)));
    }
    static Consumer::Options fast() {
        return {
            .attempts_max = 3, .retry_min = std::chrono::milliseconds(1), .retry_max = std::chrono::milliseconds(4)};
    }

    task<std::vector<Effect>> effects() {
        co_return want(co_await consumer->select<Effect>(
            context_, "SELECT event_id, key, sequence, traceparent FROM effects ORDER BY position"));
    }
    task<std::vector<std::uint64_t>> effect_sequences() {
        std::vector<std::uint64_t> found;
        for (const auto& effect : co_await effects())
            found.push_back(effect.sequence);
        co_return found;
    }
    /// Waits until that many effects are committed.
    task<void> until_effects(std::size_t count) {
        while ((co_await effects()).size() < count)
            want(co_await handled.wait(context_));
    }
    /// Waits until the bus was given that many messages.
    task<void> until_accepted(std::size_t count) {
        while (bus->accepted.size() < count)
            want(co_await bus->called.wait(context_));
    }
    std::vector<std::uint64_t> accepted_sequences(std::string_view topic = "order.created") const {
        std::vector<std::uint64_t> found;
        for (const auto& message : bus->accepted) {
            if (message.topic == topic) found.push_back(message.sequence);
        }
        return found;
    }
    std::string logged() {
        const std::lock_guard lock(log_mutex_);
        return logged_;
    }

    std::unique_ptr<FaultyBus> bus;
    std::unique_ptr<Database> publisher;
    std::unique_ptr<Database> consumer;
    Event handled;
    Telemetry telemetry{Logger("test", LogLevel::info, Logger::Format::json, [this](std::string_view line) {
        const std::lock_guard lock(log_mutex_);
        logged_.append(line);
    })};
    Metrics& metrics = telemetry.metrics;

private:
    static Consumer::Source mail() { return {.topic = "order.created", .consumer = "mail", .instance = "mail-1"}; }
    /// The database's role, for all relays and consumers of this test.
    task<std::unique_ptr<Tenure>> hold(Database& database) {
        const auto epoch = want(co_await database.transact(context_, roles::Take{"database", "test", "", {}}));
        co_return std::make_unique<Tenure>(database, "database", epoch.value(), refused_);
    }
    static EventHandler handler(std::function<Result<void>(const Message&)> refuse) {
        return [refuse](Transaction& transaction, const Message& message) -> Result<void> {
            write_effect(transaction, message);
            return refuse ? refuse(message) : Result<void>();
        };
    }
    static void write_effect(Transaction& transaction, const Message& message) {
        transaction.execute(kWriteEffect, message.id, message.key, message.sequence,
                            transaction.trace().traceparent().view());
        transaction.signal("effects");
    }

    Context& context_;
    World& world_;
    TemporaryFolder folder_;
    std::string bus_name_;
    std::mutex log_mutex_;
    std::string logged_;
    std::unique_ptr<SignalSubscription> handled_signal_;
    Counter refused_;
    std::unique_ptr<Tenure> publishing_, consuming_;
};

/// Something with run(context) that runs while this lives; stop() before it goes.
template <class Runnable>
class Running {
public:
    Running(Context& context, std::unique_ptr<Runnable> runnable) : runnable_(std::move(runnable)), scope_(context) {
        scope_.spawn(runnable_->run(scope_.context()));
    }
    task<void> stop() {
        scope_.cancel(Error(Kind::cancelled, "the test stops it"));
        co_await scope_.join();
    }
    Runnable* operator->() { return runnable_.get(); }

private:
    std::unique_ptr<Runnable> runnable_;
    Scope scope_;
};

inline std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t last) {
    std::vector<std::uint64_t> all;
    for (auto n = first; n <= last; ++n)
        all.push_back(n);
    return all;
}

} // namespace flotilla::bus_testing
