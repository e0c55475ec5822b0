// What every registry driver must do, run over each of them.

#include <flotilla/discovery/fake_consul.hpp>

namespace flotilla::registry_conformance_test {
namespace {

using namespace std::chrono_literals;

/// A registry that knows order-service's two instances, in whatever way its driver needs.
struct Subject {
    std::unique_ptr<FakeConsul> consul;
    std::unique_ptr<http::Client> http;
    std::unique_ptr<Registry> registry;
};

struct StaticDriver {
    static Subject make(Context& context, Scope&) {
        Subject subject;
        subject.http = std::make_unique<http::Client>(context.world());
        RegistryOptions options{.url = "static:"};
        options.fixed["order-service"] = {some_instance("a"), some_instance("b", 3102)};
        subject.registry = open_registry(context.world(), *subject.http, silent_logger(), options).value();
        return subject;
    }
};

struct ConsulDriver {
    static Subject make(Context& context, Scope& scope) {
        Subject subject;
        subject.http = std::make_unique<http::Client>(context.world());
        subject.consul = std::make_unique<FakeConsul>(context.world());
        for (const auto& instance : {some_instance("a"), some_instance("b", 3102)}) {
            const auto body = registration_body({instance, 5s, "x"});
            subject.consul->services[instance.id] = boost::json::parse(body).as_object();
        }
        scope.spawn(subject.consul->run(scope.context()));
        subject.registry = open_registry(context.world(), *subject.http, silent_logger(),
                                         {.url = subject.consul->url(), .host = "host-a"})
                               .value();
        return subject;
    }
};

template <class Driver>
class RegistryConformance : public testing::Test {
public:
    /// Runs check(context, registry) beside a running registry.
    static void with_registry(task<void> (*check)(Context&, Registry&)) {
        Loop loop;
        Context root(loop.world());
        Context context(root, 10s);
        loop.run_until_done(run(context, check));
    }

private:
    static task<void> run(Context& context, task<void> (*check)(Context&, Registry&)) {
        Scope scope(context);
        auto subject = Driver::make(context, scope);
        scope.spawn(subject.registry->run(scope.context()));
        co_await check(context, *subject.registry);
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        co_await scope.join();
    }
};

using Drivers = testing::Types<StaticDriver, ConsulDriver>;
TYPED_TEST_SUITE(RegistryConformance, Drivers);

// Goal: resolve() gives the instances, and afterwards instances() has them without waiting.
TYPED_TEST(RegistryConformance, ResolveKnownServiceGivesInstances) {
    this->with_registry([](Context& context, Registry& registry) -> task<void> {
        const auto resolved = co_await registry.resolve(context, "order-service");
        EXPECT_TRUE(resolved) << resolved.error().message();
        if (!resolved) co_return;
        EXPECT_EQ((*resolved)->size(), 2u);
        EXPECT_EQ((**resolved)[0], some_instance("a"));
        EXPECT_EQ(*registry.instances("order-service"), **resolved);
        EXPECT_TRUE(registry.health());
    });
}

// Goal: a service nobody offers is `unavailable no_instance`, not an empty success.
TYPED_TEST(RegistryConformance, ResolveUnknownServiceIsNoInstance) {
    this->with_registry([](Context& context, Registry& registry) -> task<void> {
        const auto resolved = co_await registry.resolve(context, "nobody");
        EXPECT_FALSE(resolved);
        if (resolved) co_return;
        EXPECT_EQ(resolved.error().kind(), Kind::unavailable);
        EXPECT_EQ(resolved.error().code(), "no_instance");
        EXPECT_NE(registry.instances("nobody"), nullptr);
        EXPECT_TRUE(registry.instances("nobody")->empty());
    });
}

// Goal: a cancelled caller gets its context's reason.
TYPED_TEST(RegistryConformance, ResolveCancelledGivesReason) {
    this->with_registry([](Context& context, Registry& registry) -> task<void> {
        Context cancelled(context);
        cancelled.cancel(Error(Kind::cancelled, "changed my mind"));
        const auto resolved = co_await registry.resolve(cancelled, "order-service");
        EXPECT_FALSE(resolved);
        if (!resolved) EXPECT_EQ(resolved.error().kind(), Kind::cancelled);
    });
}

// Goal: announcing and withdrawing work with every driver, withdrawing also twice.
TYPED_TEST(RegistryConformance, AnnounceThenWithdrawSucceeds) {
    this->with_registry([](Context& context, Registry& registry) -> task<void> {
        registry.announce(some_instance("c", 3202));
        EXPECT_TRUE(co_await registry.withdraw(context));
        EXPECT_TRUE(co_await registry.withdraw(context));
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
    for (const auto* url :
         {"", "consul", "consul://", "consul:127.0.0.1:8500", "zookeeper://a:1", "consul://127.0.0.1:banana"}) {
        const auto opened = open_registry(loop.world(), http, silent_logger(), {.url = url});
        ASSERT_FALSE(opened) << url;
        EXPECT_EQ(opened.error().kind(), Kind::invalid) << url;
    }
    EXPECT_TRUE(open_registry(loop.world(), http, silent_logger(), {.url = "consul://127.0.0.1:8500/"}));
}

} // namespace
} // namespace flotilla::registry_conformance_test
