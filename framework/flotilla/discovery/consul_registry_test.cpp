#include <flotilla/discovery/consul_registry.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <flotilla/discovery/fake_consul.hpp>

namespace flotilla::consul_registry_test {
namespace {

using namespace std::chrono_literals;

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "flotilla_discovery_XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// A fake Consul and a registry on it; run() them in a scope of the test.
struct Bench {
    FakeConsul consul;
    http::Client http;
    std::unique_ptr<Registry> registry;
    Scope scope;

    Bench(Context& context, Duration ttl = 30ms, std::string cache_file = {})
        : consul(context.world()), http(context.world()),
          registry(
              open_registry(context.world(), http, silent_logger(),
                            {.url = consul.url(), .cache_file = std::move(cache_file), .host = "host-a", .ttl = ttl})
                  .value()),
          scope(context) {}

    void start() {
        scope.spawn(consul.run(scope.context()));
        scope.spawn(registry->run(scope.context()));
    }
    task<void> stop() {
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        return scope.join();
    }
};

// Goal: an announced instance is registered, kept alive by heartbeats, and reported healthy.
TEST(ConsulRegistry, AnnounceRegistersAndHeartbeats) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.registry->announce(some_instance("a"));
        EXPECT_FALSE(bench.registry->health());
        bench.start();
        co_await eventually(context, [&] { return bench.consul.heartbeats >= 4; });
        EXPECT_EQ(bench.consul.registrations, 1);
        EXPECT_TRUE(bench.registry->health());
        co_await bench.stop();
    });
}

// Goal: announcing while it runs works as well as before.
TEST(ConsulRegistry, AnnounceWhileRunningRegisters) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.start();
        bench.registry->announce(some_instance("a"));
        co_await eventually(context, [&] { return bench.consul.services.contains("a"); });
        co_await bench.stop();
    });
}

// Goal: a registry that restarted empty has the instance again after one heartbeat.
TEST(ConsulRegistry, RegistryForgetsThenInstanceRegistersAgain) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.registry->announce(some_instance("a"));
        bench.start();
        co_await eventually(context, [&] { return bench.consul.heartbeats >= 1; });
        bench.consul.forget();
        co_await eventually(context, [&] { return bench.consul.services.contains("a"); });
        EXPECT_EQ(bench.consul.registrations, 2);
        co_await bench.stop();
    });
}

// Goal: after withdraw() the instance is gone and stays gone.
TEST(ConsulRegistry, WithdrawDeregistersForGood) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.registry->announce(some_instance("a"));
        bench.start();
        co_await eventually(context, [&] { return bench.consul.heartbeats >= 1; });
        EXPECT_TRUE(co_await bench.registry->withdraw(context));
        EXPECT_EQ(bench.consul.deregistrations, 1);
        EXPECT_TRUE(bench.consul.services.empty());
        const auto heartbeats = bench.consul.heartbeats;
        co_await bench.stop();
        EXPECT_EQ(bench.consul.heartbeats, heartbeats);
    });
}

// Goal: a watch sees instances come, fail and go without being asked.
TEST(ConsulRegistry, WatchFollowsChanges) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context, 5s);
        bench.start();
        const auto count = [&] { return bench.registry->instances("order-service")->size(); };
        EXPECT_EQ(count(), 0u);
        bench.registry->announce(some_instance("a"));
        bench.registry->announce(some_instance("b", 3102));
        co_await eventually(context, [&] { return count() == 2; });
        bench.consul.set_critical("a");
        co_await eventually(context, [&] { return count() == 1; });
        EXPECT_TRUE(co_await bench.registry->withdraw(context));
        // An empty list is believed: the instances have gone.
        co_await eventually(context, [&] { return count() == 0; });
        co_await bench.stop();
    });
}

// Goal: an index that goes backwards resets the watch instead of waiting for the old one.
TEST(ConsulRegistry, IndexGoesBackwardsThenWatchStartsAnew) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context, 1h);
        bench.start();
        bench.consul.index = 1000;
        bench.registry->announce(some_instance("a"));
        co_await eventually(context, [&] { return bench.registry->instances("order-service")->size() == 1; });
        // A heartbeat after forget() would bring "a" back.
        co_await eventually(context, [&] { return bench.consul.heartbeats == 1; });
        bench.consul.forget();
        co_await eventually(context, [&] { return bench.registry->instances("order-service")->empty(); });
        bench.registry->announce(some_instance("b", 3102));
        co_await eventually(context, [&] { return bench.registry->instances("order-service")->size() == 1; });
        co_await bench.stop();
    });
}

// Goal: whatever goes wrong with the registry, the last known instances stay, health() says so, and it recovers.
TEST(ConsulRegistry, RegistryMisbehavesThenLastInstancesStay) {
    run_on_loop([](Context& context) -> task<void> {
        using Mode = FakeConsul::Mode;
        Bench bench(context);
        bench.registry->announce(some_instance("a"));
        bench.start();
        for (const auto mode : {Mode::unreachable, Mode::garbage, Mode::failing, Mode::without_index}) {
            EXPECT_TRUE(co_await bench.registry->resolve(context, "order-service"));
            bench.consul.mode = mode;
            bench.consul.set_critical("nobody"); // wakes the long poll
            co_await eventually(context, [&] { return !bench.registry->health(); });
            EXPECT_EQ(bench.registry->instances("order-service")->size(), 1u);
            EXPECT_TRUE(co_await bench.registry->resolve(context, "order-service"));
            bench.consul.mode = Mode::well;
            co_await eventually(context, [&] { return bench.registry->health().has_value(); });
        }
        co_await bench.stop();
    });
}

task<void> resolve_into(Context& context, Registry& registry, std::optional<Result<Instances>>& into) {
    into.emplace(co_await registry.resolve(context, "order-service"));
}

// Goal: callers that come before the first answer wait for it, all of them, and no longer than their deadline.
TEST(ConsulRegistry, ResolveBeforeFirstAnswerWaits) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.consul.mode = FakeConsul::Mode::unreachable;
        bench.start();
        Context brief(context, 5ms);
        const auto late = co_await bench.registry->resolve(brief, "order-service");
        EXPECT_FALSE(late);
        if (!late) EXPECT_EQ(late.error().kind(), Kind::deadline_exceeded);

        std::optional<Result<Instances>> first, second;
        Scope callers(context);
        callers.spawn(resolve_into(callers.context(), *bench.registry, first));
        callers.spawn(resolve_into(callers.context(), *bench.registry, second));
        const auto body = registration_body({some_instance("a"), 5s, "x"});
        bench.consul.services["a"] = boost::json::parse(body).as_object();
        bench.consul.mode = FakeConsul::Mode::well;
        co_await callers.join();
        EXPECT_TRUE(first->has_value() && second->has_value());
        co_await bench.stop();
    });
}

// Goal: a process that starts without its registry has the instances its predecessor knew, at once.
TEST(ConsulRegistry, CacheFileGivesInstancesWithoutRegistry) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        const auto file = folder.file("sub/instances.json");
        {
            Bench bench(context, 5s, file);
            bench.registry->announce(some_instance("a"));
            bench.start();
            EXPECT_TRUE(co_await bench.registry->resolve(context, "order-service"));
            co_await bench.stop();
        }
        Bench bench(context, 5s, file);
        bench.consul.mode = FakeConsul::Mode::unreachable;
        const auto known = bench.registry->instances("order-service");
        EXPECT_EQ(known->size(), 1u);
        if (known->size() == 1) EXPECT_EQ(known->front(), some_instance("a"));
        bench.start();
        EXPECT_TRUE(co_await bench.registry->resolve(context, "order-service"));
        co_await bench.stop();
        // Nothing but the file itself is left behind.
        EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.file("sub")), {}), 1);
    });
}

// Goal: a damaged cache file is ignored, and replaced by the next good one.
TEST(ConsulRegistry, DamagedCacheFileIsReplaced) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        const auto file = folder.file("instances.json");
        std::ofstream(file) << "{\"services\":{\"order-ser";
        {
            Bench bench(context, 5s, file);
            EXPECT_TRUE(bench.registry->instances("order-service")->empty());
            bench.registry->announce(some_instance("a"));
            bench.start();
            co_await eventually(context, [&] { return bench.registry->instances("order-service")->size() == 1; });
            co_await bench.stop();
        }
        Bench bench(context, 5s, file);
        EXPECT_EQ(bench.registry->instances("order-service")->size(), 1u);
    });
}

} // namespace
} // namespace flotilla::consul_registry_test
