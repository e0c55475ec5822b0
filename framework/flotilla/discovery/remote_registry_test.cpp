// What all drivers have in common, on the example of Consul.

#include <flotilla/discovery/remote_registry.hpp>

#include <filesystem>
#include <fstream>

#include <flotilla/aio/test_streams.hpp>
#include <flotilla/discovery/conformance/fake_consul.hpp>

namespace flotilla::remote_registry_test {
namespace {

using namespace std::chrono_literals;

/// A fake Consul and a registry on it; run() them in a scope of the test.
struct Bench {
    std::vector<std::string> lines;
    Telemetry telemetry{Logger("test", LogLevel::info, Logger::Format::json,
                               [this](std::string_view line) { lines.emplace_back(line); })};
    FakeConsul consul;
    http::Client http;
    std::unique_ptr<Registry> registry;
    Scope scope;

    Bench(Context& context, Duration ttl = 30ms, std::string cache_file = {})
        : consul(context.world()), http(context.world()), registry(open_registry(context.world(), http, telemetry,
                                                                                 {.url = consul.url(),
                                                                                  .cache_file = std::move(cache_file),
                                                                                  .host = "host-a",
                                                                                  .ttl = ttl,
                                                                                  .settling = 400ms})
                                                                       .value()),
          scope(context) {}

    void start() {
        scope.spawn(consul.run(scope.context()));
        scope.spawn(registry->run(scope.context()));
    }
    std::ptrdiff_t said(std::string_view words) const {
        return std::ranges::count_if(lines, [&](const auto& line) { return line.contains(words); });
    }
    task<void> stop() {
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        return scope.join();
    }
};

// Goal: an announced instance is registered, kept alive by heartbeats, and reported healthy.
TEST(RemoteRegistry, AnnounceRegistersAndHeartbeats) {
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
TEST(RemoteRegistry, AnnounceWhileRunningRegisters) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.start();
        bench.registry->announce(some_instance("a"));
        co_await eventually(context, [&] { return bench.consul.services.contains("a"); });
        co_await bench.stop();
    });
}

// Goal: a registry that restarted empty has the instance again after one heartbeat.
TEST(RemoteRegistry, RegistryForgetsThenInstanceRegistersAgain) {
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
TEST(RemoteRegistry, WithdrawDeregistersForGood) {
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
TEST(RemoteRegistry, WatchFollowsChanges) {
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
TEST(RemoteRegistry, IndexGoesBackwardsThenWatchStartsAnew) {
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
TEST(RemoteRegistry, RegistryMisbehavesThenLastInstancesStay) {
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
TEST(RemoteRegistry, ResolveBeforeFirstAnswerWaits) {
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
        const auto body = registration_body(some_instance("a"), 5s);
        bench.consul.services["a"] = boost::json::parse(body).as_object();
        bench.consul.mode = FakeConsul::Mode::well;
        co_await callers.join();
        EXPECT_TRUE(first->has_value() && second->has_value());
        co_await bench.stop();
    });
}

// Goal: a process that starts without its registry has the instances its predecessor knew, at once.
TEST(RemoteRegistry, CacheFileGivesInstancesWithoutRegistry) {
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

// Goal: an outage is one line in the log, however many services are watched, and so is its end.
TEST(RemoteRegistry, OutageIsToldOnce) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.start();
        for (const auto* service : {"order-service", "user-service", "product-service"})
            (void)bench.registry->instances(service);
        co_await eventually(context, [&] { return bench.registry->health().has_value(); });
        bench.consul.mode = FakeConsul::Mode::unreachable;
        bench.consul.set_critical("nobody"); // wakes the long polls
        co_await eventually(context, [&] { return bench.consul.polls >= 12; });
        EXPECT_EQ(bench.said("the registry does not answer"), 1);
        bench.consul.mode = FakeConsul::Mode::well;
        co_await eventually(context, [&] { return bench.registry->health().has_value(); });
        EXPECT_EQ(bench.said("the registry answers again"), 1);
        const auto metrics = bench.telemetry.metrics.prometheus_text();
        EXPECT_TRUE(metrics.contains("flotilla_discovery_failures_total{registry=\"" + bench.consul.url())) << metrics;
        EXPECT_TRUE(metrics.contains("flotilla_discovery_instances{service=\"user-service\"} 0")) << metrics;
        co_await bench.stop();
    });
}

// Goal: a registry that comes back empty takes no instance from callers that lives, and one that does not soon after.
TEST(RemoteRegistry, RegistryForgetsInOutageThenInstancesStayUntilSettled) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context, 1h);
        bench.consul.services["gone"] = boost::json::parse(registration_body(some_instance("gone"), 5s)).as_object();
        bench.start();
        EXPECT_TRUE(co_await bench.registry->resolve(context, "order-service"));
        bench.consul.mode = FakeConsul::Mode::unreachable;
        bench.consul.forget();
        co_await eventually(context, [&] { return !bench.registry->health(); });
        const auto polls = bench.consul.polls;
        bench.consul.mode = FakeConsul::Mode::well;
        co_await eventually(context, [&] { return bench.registry->health() && bench.consul.polls > polls; });
        EXPECT_EQ(bench.registry->instances("order-service")->size(), 1u);
        bench.registry->announce(some_instance("b", 3102));
        co_await eventually(context, [&] { return bench.registry->instances("order-service")->size() == 2; });
        co_await eventually(context, [&] { return bench.registry->instances("order-service")->size() == 1; });
        EXPECT_EQ(bench.registry->instances("order-service")->front().id, "b");
        co_await bench.stop();
    });
}

// Goal: a registry that comes back empty and goes away at once takes nothing away either.
TEST(RemoteRegistry, SecondOutageBeforeItSettlesThenInstancesStay) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context, 1h);
        bench.consul.services["a"] = boost::json::parse(registration_body(some_instance("a"), 5s)).as_object();
        bench.start();
        EXPECT_TRUE(co_await bench.registry->resolve(context, "order-service"));
        bench.consul.mode = FakeConsul::Mode::unreachable;
        bench.consul.forget();
        co_await eventually(context, [&] { return !bench.registry->health(); });
        bench.consul.mode = FakeConsul::Mode::well;
        co_await eventually(context, [&] { return bench.registry->health().has_value(); });
        bench.consul.mode = FakeConsul::Mode::unreachable;
        bench.consul.set_critical("nobody"); // wakes the long poll
        co_await eventually(context, [&] { return !bench.registry->health(); });
        const auto settled = context.world().monotonic() + 500ms;
        co_await eventually(context, [&] { return context.world().monotonic() > settled; });
        EXPECT_EQ(bench.registry->instances("order-service")->size(), 1u);
        co_await bench.stop();
    });
}

// Goal: a name that is none is told, and waits for nothing.
TEST(RemoteRegistry, ImpossibleNameIsRefused) {
    run_on_loop([](Context& context) -> task<void> {
        Bench bench(context);
        bench.start();
        const auto resolved = co_await bench.registry->resolve(context, "http://order-service/orders");
        EXPECT_EQ(resolved.error().kind(), Kind::invalid);
        EXPECT_FALSE(bench.registry->health());
        EXPECT_EQ(bench.consul.polls, 0);
        co_await bench.stop();
    });
}

// Goal: the cache gives back what was put in; a damaged one is refused whole.
TEST(CacheFile, TextReadsBack) {
    KnownInstances known;
    known["order-service"] =
        std::make_shared<const std::vector<Instance>>(std::vector{some_instance("a"), some_instance("b", 1)});
    known["gone"] = std::make_shared<const std::vector<Instance>>();
    const auto text = cache_text(known);
    const auto parsed = parse_cache(text);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(*parsed->at("order-service"), *known["order-service"]);
    EXPECT_TRUE(parsed->at("gone")->empty());
    for (const auto& damaged : {std::string(), text.substr(0, text.size() / 2), std::string("[]"),
                                std::string(R"({"services":{"a":[{}]}})")}) {
        EXPECT_FALSE(parse_cache(damaged)) << damaged;
    }
}

// Goal: a damaged cache file is ignored, and replaced by the next good one.
TEST(RemoteRegistry, DamagedCacheFileIsReplaced) {
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
} // namespace flotilla::remote_registry_test
