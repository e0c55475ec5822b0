#include "hub/consul/consul_api.hpp"

#include <filesystem>
#include <fstream>

#include <flotilla/discovery/registry.hpp>
#include <flotilla/store/sqlite/connection.hpp>

#include "hub/consul/api_bench.hpp"
#include "hub/consul/journal.hpp"

namespace flotilla::hub::consul::consul_api_test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kWeb =
    R"({"ID":"web-1","Name":"web","Address":"10.0.0.1","Port":80,"Tags":["v1"],"Check":{"TTL":"10s"}})";

// Goal: the life of a service: registered, critical, passing, listed everywhere, deregistered.
TEST(ConsulApi, ServiceLivesFromRegistrationToDeregistration) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        EXPECT_EQ((co_await bench.put("/v1/agent/service/register", kWeb)).status(), 200);
        EXPECT_EQ(parsed(co_await bench.get("/v1/health/service/web")).as_array().size(), 1u);
        EXPECT_TRUE(parsed(co_await bench.get("/v1/health/service/web?passing")).as_array().empty());
        EXPECT_EQ((co_await bench.put("/v1/agent/check/pass/service:web-1?note=fine")).status(), 200);
        EXPECT_EQ(parsed(co_await bench.get("/v1/health/service/web?passing=1&tag=v1")).as_array().size(), 1u);
        EXPECT_TRUE(parsed(co_await bench.get("/v1/health/service/web?tag=v2")).as_array().empty());
        EXPECT_EQ((co_await bench.get("/v1/catalog/services")).body, R"({"web":["v1"]})");
        EXPECT_EQ(parsed(co_await bench.get("/v1/catalog/service/web")).at(0).at("ServicePort"), 80);
        EXPECT_EQ(parsed(co_await bench.get("/v1/agent/services")).at("web-1").at("Service"), "web");
        EXPECT_EQ(parsed(co_await bench.get("/v1/agent/service/web-1")).at("Address"), "10.0.0.1");
        EXPECT_EQ(parsed(co_await bench.get("/v1/agent/checks")).at("service:web-1").at("Output"), "fine");
        EXPECT_EQ(parsed(co_await bench.get("/v1/health/state/passing")).as_array().size(), 2u);
        EXPECT_EQ((co_await bench.put("/v1/agent/service/deregister/web-1")).status(), 200);
        EXPECT_EQ((co_await bench.get("/v1/health/service/web")).body, "[]");
        EXPECT_EQ((co_await bench.put("/v1/agent/service/deregister/web-1")).status(), 404);
        EXPECT_EQ((co_await bench.put("/v1/agent/check/pass/service:web-1")).status(), 404);
        co_await bench.stop();
    });
}

// Goal: a blocking query sleeps until its service changes and then carries the new index.
TEST(ConsulApi, BlockingHealthQueryWakesOnChange) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        co_await bench.put("/v1/agent/service/register", kWeb);
        const auto before = index_of(co_await bench.get("/v1/health/service/web?passing=1"));
        std::optional<http::Response> answer;
        Scope scope(context);
        scope.spawn(store_response(bench.get("/v1/health/service/web?passing=1&wait=60s&index=" + before), answer));
        co_await bench.put("/v1/agent/service/register", R"({"Name":"other"})");
        EXPECT_FALSE(answer);
        co_await bench.put("/v1/agent/check/pass/service:web-1");
        co_await scope.join();
        EXPECT_EQ(parsed(*answer).as_array().size(), 1u);
        EXPECT_NE(index_of(*answer), before);
        EXPECT_EQ(answer->head.headers.get("X-Consul-KnownLeader"), "true");
        co_await bench.stop();
    });
}

// Goal: without news a blocking query answers when its time is up, with the index it came with.
TEST(ConsulApi, BlockingQueryAnswersWhenTimeIsUp) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        co_await bench.put("/v1/kv/foo", "bar");
        const auto first = co_await bench.get("/v1/kv/foo");
        const auto second = co_await bench.get("/v1/kv/foo?wait=20ms&index=" + index_of(first));
        EXPECT_EQ(second.status(), 200);
        EXPECT_EQ(second.body, first.body);
        EXPECT_EQ(index_of(second), index_of(first));
        co_await bench.stop();
    });
}

// Goal: shutting down answers who waits instead of making the drain wait for them.
TEST(ConsulApi, StopAnswersBlockingQueries) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const auto index = index_of(co_await bench.get("/v1/kv/?keys"));
        std::optional<http::Response> answer;
        Scope scope(context);
        scope.spawn(store_response(bench.get("/v1/kv/?keys&wait=60s&index=" + index), answer));
        co_await bench.get("/v1/status/leader"); // the query before it has arrived
        co_await bench.stop();
        co_await scope.join();
        EXPECT_EQ(answer->status(), 200);
        EXPECT_EQ(answer->body, "[]");
    });
}

// Goal: a change that cannot be stored is the failure of who made it, not of who waits for it.
TEST(ConsulApi, ChangeThatCannotBeStoredStillWakesReaders) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        co_await bench.put("/v1/kv/foo", "bar");
        auto file = sqlite::Connection::open((folder / "registry.db").string());
        const char* const broken =
            "CREATE TRIGGER broken BEFORE INSERT ON registry BEGIN SELECT RAISE(ABORT, 'broken'); END";
        EXPECT_TRUE(file && (*file)->script(broken));
        const auto index = index_of(co_await bench.get("/v1/kv/foo"));
        std::optional<http::Response> answer;
        Scope scope(context);
        scope.spawn(store_response(bench.get("/v1/kv/foo?raw&wait=60s&index=" + index), answer));
        co_await bench.get("/v1/status/leader"); // the query before it has arrived
        EXPECT_EQ((co_await bench.put("/v1/kv/foo", "new")).status(), 500);
        co_await scope.join();
        EXPECT_EQ(answer->status(), 200);
        EXPECT_EQ(answer->body, "new");
        co_await bench.stop();
    });
}

// Goal: instances that a backup remembers are not sent to before they are heard again: their ports may be another
// fleet's.
TEST(ConsulApi, RestoredHeartbeatsCountOnceHeardAgain) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        {
            ApiBench bench(context, folder);
            co_await bench.ready();
            co_await bench.put("/v1/agent/service/register",
                               R"({"Name":"shop","ID":"shop-1","Port":80,"Check":{"TTL":"60s","Status":"passing"}})");
            co_await bench.stop();
        }
        std::ofstream(folder / std::string(Journal::kRestoredMark)) << "";
        ApiBench bench(context, folder);
        co_await bench.ready();
        EXPECT_EQ((co_await bench.get("/v1/health/service/shop?passing")).body, "[]");
        co_await bench.put("/v1/agent/check/pass/service:shop-1");
        EXPECT_NE((co_await bench.get("/v1/health/service/shop?passing")).body, "[]");
        EXPECT_FALSE(std::filesystem::exists(folder / std::string(Journal::kRestoredMark)));
        co_await bench.stop();
    });
}

// Goal: a damaged file is the reason that readiness gives, not that it is loading.
TEST(ConsulApi, DamagedFileIsNamedInHealth) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        std::ofstream(folder / "registry.db") << std::string(8192, 'x');
        ApiBench bench(context, folder);
        const auto named = [&] {
            const auto health = bench.api().health();
            return !health && health.error().code() == "database_damaged";
        };
        while (!named() && co_await sleep_for(context, std::chrono::milliseconds(1))) {
        }
        EXPECT_TRUE(named());
        co_await bench.stop();
    });
}

// Goal: a request whose body ends after the API has stopped is refused at once: nobody would store its change.
TEST(ConsulApi, RequestReadAfterTheStopIsRefused) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        auto slow = (co_await context.world().connect(context, bench.address())).value();
        EXPECT_TRUE(co_await slow->write(context, "PUT /v1/kv/foo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nb"));
        co_await bench.get("/v1/status/leader"); // the head before it has arrived
        co_await bench.stop_api();
        EXPECT_TRUE(co_await slow->write(context, "ar"));
        std::vector<char> buffer(1024);
        const auto bytes = (co_await slow->read(context, buffer)).value();
        EXPECT_TRUE(std::string_view(buffer.data(), bytes).starts_with("HTTP/1.1 500 "));
        co_await bench.stop();
    });
}

// Goal: a TTL that runs out makes the check critical by itself and wakes watchers.
TEST(ConsulApi, TtlRunsOutThenWatchersHear) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        co_await bench.put("/v1/agent/service/register", R"({"Name":"web","Check":{"TTL":"30ms","Status":"passing"}})");
        const auto index = index_of(co_await bench.get("/v1/health/service/web?passing=1"));
        const auto after = co_await bench.get("/v1/health/service/web?passing=1&wait=5s&index=" + index);
        EXPECT_EQ(after.body, "[]");
        EXPECT_EQ(parsed(co_await bench.get("/v1/health/state/critical")).at(0).at("Output"), "TTL expired");
        co_await bench.stop();
    });
}

// Goal: HTTP and TCP checks find out by themselves.
TEST(ConsulApi, HttpAndTcpChecksProbe) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const auto here = bench.address().to_string();
        co_await bench.put("/v1/agent/service/register", R"({"Name":"web","Checks":[{"HTTP":"http://)" + here +
                                                             R"(/healthz","Interval":"1h"},{"TCP":")" + here +
                                                             R"(","Interval":"1h"},{"HTTP":"http://)" + here +
                                                             R"(/v1/nothing","Interval":"1h"}]})");
        std::string index = "0";
        boost::json::array settled;
        while (settled.size() != 3 && context.check()) {
            const auto answer = co_await bench.get("/v1/health/checks/web?wait=5ms&index=" + index);
            index = index_of(answer);
            settled.clear();
            for (const auto& check : parsed(answer).as_array()) {
                if (!check.at("Output").as_string().empty()) settled.push_back(check);
            }
        }
        EXPECT_EQ(settled.at(0).at("Status"), "passing");
        EXPECT_EQ(settled.at(1).at("Status"), "passing");
        EXPECT_EQ(settled.at(2).at("Status"), "critical");
        const std::string output = settled.at(0).at("Output").as_string().c_str();
        EXPECT_EQ(output, "HTTP GET http://" + here + "/healthz: 200 OK Output: fine");
        co_await bench.stop();
    });
}

// Goal: everything is there after a restart: services with their status, checks, keys, locks, sessions, indexes.
TEST(ConsulApi, RestartKeepsState) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        std::string session, health, keys;
        {
            ApiBench bench(context, folder);
            co_await bench.ready();
            co_await bench.put("/v1/agent/service/register", kWeb);
            co_await bench.put("/v1/agent/check/pass/service:web-1");
            session = parsed(co_await bench.put("/v1/session/create", R"({"Name":"s","TTL":"60s"})"))
                          .at("ID")
                          .as_string()
                          .c_str();
            EXPECT_EQ((co_await bench.put("/v1/kv/lock?acquire=" + session, "mine")).body, "true");
            co_await bench.put("/v1/kv/gone", "x");
            co_await bench.call(Method::delete_, "/v1/kv/gone");
            health = (co_await bench.get("/v1/health/service/web?passing=1")).body;
            keys = (co_await bench.get("/v1/kv/?recurse")).body;
            co_await bench.stop();
        }
        ApiBench bench(context, folder);
        co_await bench.ready();
        const auto restored = co_await bench.get("/v1/health/service/web?passing=1");
        EXPECT_EQ(restored.body, health);
        EXPECT_EQ((co_await bench.get("/v1/kv/?recurse")).body, keys);
        EXPECT_EQ(parsed(co_await bench.get("/v1/session/info/" + session)).at(0).at("TTL"), "60s");
        EXPECT_EQ((co_await bench.put("/v1/kv/lock?release=" + session, "mine")).body, "true");
        const auto index = std::stoull(index_of(restored));
        co_await bench.put("/v1/agent/check/fail/service:web-1");
        EXPECT_GT(std::stoull(index_of(co_await bench.get("/v1/health/service/web"))), index);
        co_await bench.stop();
    });
}

// Goal: garbage gets 400 and a text, wrong methods 405 and what would do, unknown paths 404.
TEST(ConsulApi, GarbageIsRefusedWithText) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const std::pair<const char*, const char*> puts[] = {
            {"/v1/agent/service/register", ""},
            {"/v1/agent/service/register", "{"},
            {"/v1/agent/service/register", "[1]"},
            {"/v1/agent/service/register", R"({"Name":""})"},
            {"/v1/agent/service/register", "{\"Name\":\"\xff\"}"},
            {"/v1/agent/check/register", R"({"Name":"x"})"},
            {"/v1/agent/check/update/x", R"({"Status":"fabulous"})"},
            {"/v1/agent/check/update/x", "nonsense"},
            {"/v1/agent/maintenance", ""},
            {"/v1/kv/", "x"},
            {"/v1/kv/a%zz", "x"},
            {"/v1/kv/a%ff", "x"},
            {"/v1/kv/a?cas=0&acquire=y", "x"},
            {"/v1/session/create", "{"},
            {"/v1/session/create", R"({"Name":"x","Bogus":1})"},
            {"/v1/session/create", R"({"ServiceChecks":[{"ID":"x","Bogus":1}]})"},
            {"/v1/session/create", R"({"LockDelay":"-1s"})"},
            {"/v1/agent/check/update/x", R"({"Status":"passing","Note":"x"})"},
            {"/v1/kv/a%00", "x"},
        };
        for (const auto& [target, body] : puts) {
            const auto answer = co_await bench.put(target, body);
            EXPECT_EQ(answer.status(), 400) << target << " " << body;
            EXPECT_FALSE(answer.body.empty()) << target << " " << body;
        }
        for (const auto* target :
             {"/v1/kv/", "/v1/kv/a?index=x", "/v1/kv/a?index=1&wait=soon", "/v1/health/service/",
              "/v1/health/service/web?passing=maybe", "/v1/health/service/web?stale&consistent", "/v1/kv/a?x=%zz"}) {
            const auto answer = co_await bench.get(target);
            EXPECT_EQ(answer.status(), 400) << target;
            EXPECT_FALSE(answer.body.empty()) << target;
        }
        const auto wrong = co_await bench.call(Method::post, "/v1/kv/a", "x");
        EXPECT_EQ(wrong.status(), 405);
        EXPECT_EQ(wrong.head.headers.get("Allow"), "OPTIONS,GET,PUT,DELETE");
        EXPECT_EQ((co_await bench.get("/v1/agent/nope")).status(), 404);
        EXPECT_EQ((co_await bench.get("/v1/acl/tokens")).status(), 401); // as Consul without ACLs
        EXPECT_EQ((co_await bench.get("/elsewhere")).body, "fine");
        co_await bench.stop();
    });
}

// Goal: what a query asks for is heard or refused in words; an answer to another question is none.
TEST(ConsulApi, QueryParameterIsHeardOrRefused) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        co_await bench.put("/v1/agent/service/register", kWeb);
        for (const auto* path : {"/v1/catalog/nodes", "/v1/catalog/services", "/v1/catalog/service/web",
                                 "/v1/health/service/web", "/v1/health/checks/web", "/v1/health/state/any"}) {
            const auto everything = parsed(co_await bench.get(std::string(path) + "?node-meta=consul-version:1.20.0"));
            EXPECT_EQ(everything, parsed(co_await bench.get(path))) << path;
            const auto nothing = co_await bench.get(std::string(path) + "?node-meta=a:b");
            EXPECT_TRUE(nothing.body == "[]" || nothing.body == "{}") << path << ": " << nothing.body;
        }
        EXPECT_EQ((co_await bench.get("/v1/health/service/web?peer=x")).body, "[]");
        EXPECT_EQ((co_await bench.get("/v1/catalog/service/web?peer=x")).body, "[]");
        EXPECT_EQ((co_await bench.get("/v1/health/service/web?near=_agent&cached&token=t&ns=&dc=dc1")).status(), 200);
        const std::tuple<const char*, int, const char*> refused[] = {
            {"/v1/health/service/web?pasing", 400, "\"pasing\""},
            {"/v1/kv/a?flags=1", 400, "\"flags\""}, // only when it is written
            {"/v1/status/leader?tag=a", 400, "\"tag\""},
            {"/v1/health/service/web?sg=x", 500, "sameness groups"},
            {"/v1/health/service/web?ns=x", 400, "Namespaces"},
            {"/v1/catalog/nodes?partition=x", 400, "Partitions"},
            {"/v1/agent/members?segment=x", 500, "segments"},
            {"/v1/catalog/nodes?max_stale=soon", 400, "max_stale"},
        };
        for (const auto& [target, status, word] : refused) {
            const auto answer = co_await bench.get(target);
            EXPECT_EQ(answer.status(), status) << target;
            EXPECT_NE(answer.body.find(word), std::string::npos) << target << ": " << answer.body;
        }
        co_await bench.stop();
    });
}

// Goal: what belongs to Consul and is not here says so, so that nobody looks for a typing error.
TEST(ConsulApi, PathOfConsulThatIsNotServedIs501WithASentence) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        for (const auto* path : {"/v1/query", "/v1/query/x/execute", "/v1/event/list", "/v1/coordinate/nodes",
                                 "/v1/config/service-defaults", "/v1/health/connect/web", "/v1/agent/reload",
                                 "/v1/operator/raft/configuration", "/v1/internal/ui/services", "/v1/snapshot"}) {
            const auto answer = co_await bench.get(path);
            EXPECT_EQ(answer.status(), 501) << path;
            EXPECT_NE(answer.body.find("does not serve"), std::string::npos) << answer.body;
        }
        co_await bench.stop();
    });
}

// Goal: a name is found whatever its case; watchers of it in another case wake up too; ids are exact.
TEST(ConsulApi, NameIsFoundWhateverItsCase) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        co_await bench.put("/v1/agent/service/register", R"({"ID":"w1","Name":"Web","Check":{"TTL":"10s"}})");
        for (const auto* path : {"/v1/health/service/web", "/v1/catalog/service/WEB", "/v1/health/checks/wEB",
                                 "/v1/health/node/FLOTILLA"}) {
            EXPECT_FALSE(parsed(co_await bench.get(path)).as_array().empty()) << path;
        }
        EXPECT_TRUE(parsed(co_await bench.get("/v1/catalog/node/Flotilla")).is_object());
        EXPECT_EQ((co_await bench.get("/v1/catalog/services")).body, R"({"Web":[]})");
        EXPECT_EQ((co_await bench.get("/v1/agent/service/W1")).status(), 404);
        const auto index = index_of(co_await bench.get("/v1/health/service/wEb"));
        std::optional<http::Response> answer;
        Scope scope(context);
        scope.spawn(store_response(bench.get("/v1/health/service/wEb?passing&wait=60s&index=" + index), answer));
        co_await bench.put("/v1/agent/check/pass/service:w1");
        co_await scope.join();
        EXPECT_EQ(parsed(*answer).as_array().size(), 1u);
        co_await bench.stop();
    });
}

// Goal: the framework's own driver finds what it announced through this API, and notices it go.
TEST(ConsulApi, FrameworksDriverWorksAgainstIt) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        Scope scope(context);
        Telemetry quiet(Logger("test", LogLevel::error, Logger::Format::json, [](std::string_view) {}));
        auto registry = open_registry(context.world(), bench.http(), quiet,
                                      {.url = "consul://" + bench.address().to_string(), .host = "here", .ttl = 300ms})
                            .value();
        const Instance instance{"order-1",
                                "order-service",
                                Address::tcp("127.0.0.1", 3002),
                                "/run/o.sock",
                                "here",
                                "1.0",
                                "run-1",
                                "eu-1a",
                                2.5,
                                {"canary"},
                                "http://127.0.0.1:3002/openapi.json"};
        registry->announce(instance);
        scope.spawn(registry->run(scope.context()));
        const auto& list = registry->instances("order-service");
        EXPECT_TRUE(list->empty());
        while (registry->instances("order-service")->empty() && context.check())
            (void)co_await sleep_for(context, 1ms);
        EXPECT_EQ(registry->instances("order-service")->at(0), instance);
        while (!registry->health() && context.check())
            (void)co_await sleep_for(context, 1ms);
        EXPECT_TRUE(registry->health());
        EXPECT_TRUE(co_await registry->withdraw(context));
        while (!registry->instances("order-service")->empty() && context.check())
            (void)co_await sleep_for(context, 1ms);
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        co_await scope.join();
        co_await bench.stop();
    });
}

} // namespace
} // namespace flotilla::hub::consul::consul_api_test
