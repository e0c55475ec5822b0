// What every registry driver must do, run over each of them: the real registry where there is one on this machine.

#include <fstream>

#include <flotilla/discovery/conformance/fake_eureka.hpp>
#include <flotilla/discovery/conformance/fake_kubernetes.hpp>

namespace flotilla::registry_conformance_test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTtl = 300ms;
constexpr Duration kSettling = 600ms;

Instance instance_at(const std::string& id, const std::string& host) {
    auto instance = some_instance(id);
    instance.address = Address::tcp(host, 3002);
    instance.weight = 2;
    return instance;
}

const Instance a = instance_at("a", "10.0.0.7"), b = instance_at("b", "10.0.0.8"), c = instance_at("c", "10.0.0.9");

/// A server, and a registry of the driver under test on it.
class Bench {
public:
    Bench(Context& context, RegistryServer& server) : context_(context), server_(server), scope_(context) {}

    task<void> start() {
        scope_.spawn(server_.run(scope_.context()));
        put(a);
        put(b);
        registry = open();
        scope_.spawn(registry->run(scope_.context()));
        (void)registry->instances("order-service");
        co_await see({a, b});
    }
    task<void> stop() {
        scope_.cancel(Error(Kind::cancelled, "the test is over"));
        return scope_.join();
    }
    std::unique_ptr<Registry> open() {
        auto options = server_.options();
        options.ttl = kTtl;
        options.settling = kSettling;
        return open_registry(context_.world(), http_, telemetry_, options).value();
    }

    /// As somebody else does.
    void put(const Instance& instance) {
        if (server_.put(instance)) return;
        auto& other = others_[instance.id] = open();
        other->announce(instance);
        scope_.spawn(other->run(scope_.context()));
    }
    task<void> remove(const Instance& instance) {
        const auto other = others_.find(instance.id);
        if (other == others_.end()) {
            server_.remove(instance.id);
        } else {
            EXPECT_TRUE(co_await other->second->withdraw(context_));
        }
    }
    std::vector<Instance> told(const std::vector<Instance>& instances) const {
        std::vector<Instance> list;
        for (const auto& each : instances)
            list.push_back(server_.told(each));
        return list;
    }
    std::size_t count() const { return registry->instances("order-service")->size(); }
    /// Waits until exactly these are known.
    task<void> see(std::vector<Instance> instances) {
        const auto expected = told(instances);
        co_await eventually(context_, [&] { return *registry->instances("order-service") == expected; });
        if (*registry->instances("order-service") == expected) co_return;
        for (const auto& each : *registry->instances("order-service"))
            ADD_FAILURE() << "known instead: " << each.id << " " << each.address.to_string();
    }

    RegistryServer& server() { return server_; }
    std::unique_ptr<Registry> registry;

private:
    Context& context_;
    RegistryServer& server_;
    Telemetry telemetry_{silent_logger()};
    http::Client http_{context_.world()};
    std::map<std::string, std::unique_ptr<Registry>> others_;
    Scope scope_;
};

struct Kinds {
    const char* name;
    const char* missing; ///< what to install when there is none here
    std::unique_ptr<RegistryServer> (*make)(World&);
    Duration time = 20s; ///< for one test
};

template <class Server, auto... Arguments>
std::unique_ptr<RegistryServer> start_process(World&) {
    if (!std::filesystem::exists(Server::binary())) return nullptr;
    return std::make_unique<Server>(Arguments...);
}

template <class Server>
std::unique_ptr<RegistryServer> make_server(World& world) {
    if constexpr (std::constructible_from<Server, World&>) {
        return std::make_unique<Server>(world);
    } else {
        return std::make_unique<Server>();
    }
}

class RegistryConformance : public testing::TestWithParam<Kinds> {
protected:
    using Check = task<void> (*)(Context&, Bench&);

    void with_registry(Check check) {
        Loop loop;
        const auto server = GetParam().make(loop.world());
        if (!server) GTEST_SKIP() << "not here: " << GetParam().missing;
        Context root(loop.world());
        Context context(root, GetParam().time);
        loop.run_until_done(run(context, *server, check));
    }
    void with_changing_registry(Check check) {
        if (GetParam().make == &make_server<StaticList>) GTEST_SKIP() << "nothing changes in a list";
        with_registry(check);
    }

private:
    static task<void> run(Context& context, RegistryServer& server, Check check) {
        Bench bench(context, server);
        co_await bench.start();
        co_await check(context, bench);
        co_await bench.stop();
    }
};

INSTANTIATE_TEST_SUITE_P(
    Drivers, RegistryConformance,
    testing::Values(
        Kinds{"StaticList", "", &make_server<StaticList>}, Kinds{"ConsulInTheTest", "", &make_server<ConsulInTheTest>},
        Kinds{"Hub", "flotilla-hub beside the test (build the target programs)", &start_process<HubProcess>},
        Kinds{"Consul", "consul on PATH, or named by CONSUL", &start_process<ConsulProcess>},
        Kinds{"Etcd", "the Debian package etcd-server", &start_process<EtcdProcess>},
        Kinds{"EurekaInTheTest", "", &make_server<FakeEureka>},
        Kinds{"Eureka", "the jar of a Eureka server, named by EUREKA_JAR", &start_process<EurekaProcess>, 100s},
        Kinds{"KubernetesInTheTest", "", &make_server<FakeKubernetes>},
        Kinds{"DnsAddresses", "the Debian package dnsmasq-base", &start_process<DnsmasqProcess, false>},
        Kinds{"DnsRecords", "the Debian package dnsmasq-base", &start_process<DnsmasqProcess, true>}),
    [](const auto& info) { return std::string(info.param.name); });

// Goal: resolve() gives the instances with all that the registry tells, whichever way the name is written; a service
// nobody offers is `unavailable no_instance`, not an empty success; a cancelled caller gets its context's reason.
TEST_P(RegistryConformance, ResolveGivesInstancesOrTheReason) {
    with_registry([](Context& context, Bench& bench) -> task<void> {
        auto& registry = *bench.registry;
        for (const auto* name :
             {"order-service", "http://order-service:3002", "order-service.shop.svc.cluster.local:3002"}) {
            const auto resolved = co_await registry.resolve(context, name);
            EXPECT_TRUE(resolved) << name << ": " << resolved.error().message();
            if (resolved) EXPECT_EQ(**resolved, *registry.instances(name)) << name;
            if (resolved) EXPECT_EQ((*resolved)->size(), 2u) << name;
        }
        EXPECT_TRUE(registry.health());

        const auto nobody = co_await registry.resolve(context, "nobody");
        EXPECT_EQ(nobody.error().kind(), Kind::unavailable);
        EXPECT_EQ(nobody.error().code(), "no_instance") << nobody.error().message();
        EXPECT_TRUE(registry.instances("nobody")->empty());

        Context cancelled(context);
        cancelled.cancel(Error(Kind::cancelled, "changed my mind"));
        EXPECT_EQ((co_await registry.resolve(cancelled, "somebody")).error().kind(), Kind::cancelled);
    });
}

// Goal: announcing and withdrawing work with every driver, withdrawing also twice.
TEST_P(RegistryConformance, AnnounceThenWithdrawSucceeds) {
    with_registry([](Context& context, Bench& bench) -> task<void> {
        bench.registry->announce(c);
        EXPECT_TRUE(co_await bench.registry->withdraw(context));
        EXPECT_TRUE(co_await bench.registry->withdraw(context));
        co_await bench.see({a, b});
    });
}

// Goal: instances that come and go are seen without asking.
TEST_P(RegistryConformance, ChangesAreSeen) {
    with_changing_registry([](Context&, Bench& bench) -> task<void> {
        bench.put(c);
        co_await bench.see({a, b, c});
        co_await bench.remove(a);
        co_await bench.see({b, c});
    });
}

// Goal: a registry that dies takes no instance from those who know it, nor does one that comes back without its data
// before the instances have announced themselves again; health() tells.
TEST_P(RegistryConformance, RegistryDiesAndComesBackEmptyWithoutAGap) {
    with_changing_registry([](Context& context, Bench& bench) -> task<void> {
        bench.server().kill();
        co_await eventually(context, [&] { return !bench.registry->health(); });
        EXPECT_TRUE(co_await bench.registry->resolve(context, "order-service"));
        bench.server().restart();
        std::size_t fewest = 2;
        co_await eventually(context, [&] {
            fewest = std::min(fewest, bench.count());
            return bench.registry->health().has_value();
        });
        const auto settled = context.world().monotonic() + kSettling * 12 / 10;
        co_await eventually(context, [&] {
            fewest = std::min(fewest, bench.count());
            return context.world().monotonic() > settled;
        });
        EXPECT_EQ(fewest, 2u);
        co_await bench.see({a, b});
        bench.put(c);
        co_await bench.see({a, b, c});
    });
}

// Goal: the Unix socket is used on its own machine only.
TEST(Instance, BestAddressDependsOnTheMachine) {
    const auto instance = some_instance("a");
    EXPECT_EQ(instance.best_address("host-a"), Address::unix_socket("/run/order.sock"));
    EXPECT_EQ(instance.best_address("host-b"), Address::tcp("10.0.0.7", 3002));
}

// Goal: a URL nobody understands is refused with what would do.
TEST(OpenRegistry, BadUrlIsInvalid) {
    Loop loop;
    http::Client http(loop.world());
    Telemetry telemetry(silent_logger());
    const std::pair<const char*, const char*> bad[] = {
        {"", "expected static: or SCHEME://HOST:PORT"},
        {"consul", "expected static: or SCHEME://HOST:PORT"},
        {"consul://", "expected consul://HOST:PORT, found no server"},
        {"consul:127.0.0.1:8500", "expected static: or SCHEME://HOST:PORT"},
        {"zookeeper://a:1", "consul etcd dns kubernetes+http eureka kubernetes"},
        {"kubernetes:///shop", "run `kubectl proxy`"},
        {"kubernetes+http:///shop", "found no server"},
        {"consull://a:1", "did you mean 'consul'?"},
        {"consul://127.0.0.1:banana", "the port is not a number"},
        {"consul://127.0.0.1:8500/x", "found the path /x"},
        {"consul://a:1,b:2", "found several servers"},
        {"eureka://a:1?fetch=1h", "from 10ms to 1m"},
        {"etcd://127.0.0.1:2379?lease=5", "found the parameter lease"},
        {"dns://127.0.0.1/a?prot=5", "did you mean 'port'?"},
        {"dns://127.0.0.1/a?port=0", "port is not a number"},
        {"dns://127.0.0.1/a..b", "its path is no domain"},
        {"dns://127.0.0.1/a?port=1&port=2", "it has port twice"},
        {"consul://127.0.0.1:8500,zookeeper://a:1", "zookeeper"},
    };
    for (const auto& [url, words] : bad) {
        const auto opened = open_registry(loop.world(), http, telemetry, {.url = url});
        ASSERT_FALSE(opened) << url;
        EXPECT_EQ(opened.error().kind(), Kind::invalid) << url;
        EXPECT_TRUE(opened.error().message().contains(words)) << url << ": " << opened.error().message();
    }
    for (const auto* url : {"consul://127.0.0.1:8500/", "etcd://a:2379,b:2379/shop",
                            "dns://10.0.0.10/svc.local?port=80", "dns:///", "consul://a:1,dns://b,static:"}) {
        const auto opened = open_registry(loop.world(), http, telemetry, {.url = url});
        EXPECT_TRUE(opened) << url << ": " << opened.error().message();
    }
}

} // namespace
} // namespace flotilla::registry_conformance_test
