// What single drivers do beyond what all of them must: the shapes they read, and what their registries put them
// through.

#include <fstream>

#include <flotilla/discovery/conformance/fake_eureka.hpp>
#include <flotilla/discovery/conformance/fake_kubernetes.hpp>
#include <flotilla/discovery/dns/dns_resolver.hpp>
#include <flotilla/discovery/etcd/etcd_wire.hpp>
#include <flotilla/discovery/eureka/eureka_wire.hpp>
#include <flotilla/discovery/kubernetes/endpoint_slices.hpp>
#include <flotilla/discovery/registry_http.hpp>
#include <flotilla/discovery/registry_url.hpp>
#include <flotilla/discovery/service_name.hpp>

namespace flotilla::drivers_test {
namespace {

using namespace std::chrono_literals;

// Names and URLs --------------------------------------------------------------------------------------------------

// Goal: every way in which people write a service's name means that service.
TEST(ServiceNameParse, EveryWayToWriteItIsRead) {
    const std::pair<const char*, ServiceName> names[] = {
        {"user-service", {"user-service", "user-service", "", 0}},
        {"http://user-service", {"user-service", "user-service", "", 0}},
        {"http://user-service:3001", {"user-service", "user-service", "", 3001}},
        {"http://user-service:3001/", {"user-service", "user-service", "", 3001}},
        {"user-service:80", {"user-service", "user-service", "", 80}},
        {"user-service.shop.svc.cluster.local", {"user-service.shop.svc.cluster.local", "user-service", "shop", 0}},
        {"http://user-service.shop.svc:3001", {"user-service.shop.svc", "user-service", "shop", 3001}},
        {"user_service.example.com.", {"user_service.example.com", "user_service.example.com", "", 0}},
    };
    for (const auto& [text, name] : names) {
        const auto parsed = ServiceName::parse(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.error().message();
        EXPECT_EQ(*parsed, name) << text;
        EXPECT_EQ(ServiceName::parse(parsed->text()).value(), name) << text;
    }
}

// Goal: what names no service is refused, and says why.
TEST(ServiceNameParse, WhatIsNoneIsRefused) {
    const std::pair<std::string, const char*> bad[] = {
        {"a b", "has letters, digits"},
        {"user@host", "has letters, digits"},
        {"", "has 1 to 63 characters"},
        {"a..b", "has 1 to 63 characters"},
        {std::string(64, 'a'), "has 1 to 63 characters"},
        {"http://user-service/users", "has no path"},
        {"https://user-service", "scheme http, no other"},
        {"user-service:0", "a port from 1 to 65535"},
        {"user-service:80a", "a port from 1 to 65535"},
        {"user-service:65536", "a port from 1 to 65535"},
    };
    for (const auto& [text, words] : bad) {
        const auto parsed = ServiceName::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_TRUE(parsed.error().message().contains(words)) << parsed.error().message();
    }
}

// Goal: a comma lists servers of one registry, or begins another registry.
TEST(RegistryUrlSplit, CommaBeforeASchemeBeginsAnother) {
    using Urls = std::vector<std::string_view>;
    EXPECT_EQ(split_registry_urls("etcd://a:1,b:2,dns://c,static:"), (Urls{"etcd://a:1,b:2", "dns://c", "static:"}));
    EXPECT_EQ(split_registry_urls("consul://a:1"), (Urls{"consul://a:1"}));
    const auto url = RegistryUrl::parse("etcd://a:1,[::1]:2/shop/?x=a%20b", 0).value();
    EXPECT_EQ(url.servers, (std::vector{Address::tcp("a", 1), Address::tcp("::1", 2)}));
    EXPECT_EQ(url.path, "shop");
    EXPECT_EQ(url.parameter("x"), "a b");
}

// Several registries ----------------------------------------------------------------------------------------------

// Goal: the union of what several know, the first one's word for what both know; one that is away hides no other.
TEST(CombinedRegistry, UnionTakesTheFirstsWord) {
    run_on_loop([](Context& context) -> task<void> {
        FakeConsul first(context.world()), second(context.world());
        http::Client http(context.world());
        Telemetry telemetry(silent_logger());
        const auto put = [](FakeConsul& in, const Instance& instance) {
            in.services[instance.id] = boost::json::parse(registration_body(instance, 5s)).as_object();
        };
        auto other = some_instance("b", 3102), moved = some_instance("a", 1), same_place = some_instance("x", 3002);
        put(first, some_instance("a"));
        for (const auto& each : {other, moved, same_place})
            put(second, each);
        Scope scope(context);
        scope.spawn(first.run(scope.context()));
        scope.spawn(second.run(scope.context()));
        const auto registry =
            open_registry(context.world(), http, telemetry, {.url = first.url() + "," + second.url(), .ttl = 30ms})
                .value();
        scope.spawn(registry->run(scope.context()));
        EXPECT_TRUE(co_await registry->resolve(context, "order-service"));
        const std::vector expected{some_instance("a"), other};
        co_await eventually(context, [&] { return *registry->instances("order-service") == expected; });
        EXPECT_EQ(registry->instances("order-service"), registry->instances("order-service")) << "made anew";

        registry->announce(some_instance("c", 3202));
        co_await eventually(context, [&] { return first.services.contains("c") && second.services.contains("c"); });
        second.mode = FakeConsul::Mode::unreachable;
        second.set_critical("nobody"); // wakes the long poll
        co_await eventually(context, [&] { return !registry->health(); });
        EXPECT_TRUE(co_await registry->resolve(context, "order-service"));
        second.mode = FakeConsul::Mode::well;
        EXPECT_TRUE(co_await registry->withdraw(context));
        EXPECT_FALSE(first.services.contains("c") || second.services.contains("c"));
        EXPECT_EQ((co_await registry->resolve(context, "nobody")).error().code(), "no_instance");
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        co_await scope.join();
    });
}

// etcd ------------------------------------------------------------------------------------------------------------

const Instance kOne = some_instance("one");

std::string watch_line(const std::string& events, int revision) {
    return R"({"result":{"header":{"cluster_id":"1","revision":")" + std::to_string(revision) + "\"}," + events + "}}";
}

// Goal: puts and deletes are applied; what says that the past is lost is noticed, and nothing else is.
TEST(EtcdWire, WatchIsApplied) {
    const auto put = etcd_put("k/one", kOne, 7);
    const auto pair = put.substr(1, put.size() - 2); // as etcd sends it back
    EtcdState state{.instances = {}, .revision = 5};
    const auto apply = [&](const std::string& line) { return apply_etcd_watch(state, "order-service", line); };

    EXPECT_EQ(apply(watch_line(R"("created":true)", 9)).value(), EtcdNews::none);
    EXPECT_EQ(state.revision, 5) << "what happened since has not been told yet";
    EXPECT_EQ(apply(watch_line(R"("events":[{"kv":{)" + pair + R"(,"mod_revision":"6"}}])", 9)).value(),
              EtcdNews::changed);
    EXPECT_EQ(state.revision, 6);
    EXPECT_EQ(state.instances.at("k/one"), kOne);
    EXPECT_EQ(
        apply(watch_line(R"("events":[{"type":"DELETE","kv":{"key":"ay9vbmU=","mod_revision":"8"}}])", 9)).value(),
        EtcdNews::changed);
    EXPECT_TRUE(state.instances.empty());
    EXPECT_EQ(apply(watch_line(R"("canceled":true,"compact_revision":"20")", 9)).value(), EtcdNews::lost);
    EXPECT_EQ(apply(watch_line(R"("created":true)", 3)).value(), EtcdNews::lost) << "etcd has begun anew";
    for (const auto* text :
         {"", "[]", "{}", R"({"error":"etcdserver: no leader"})",
          R"({"result":{"header":{"revision":"9"},"canceled":true}})",
          R"({"result":{"header":{"revision":"9"},"events":[{"kv":{"key":"ay9vbmU=","value":"!"}}]}})"})
        EXPECT_FALSE(apply(text)) << text;
}

// Goal: after a compaction that took what it would have been told, a driver reads anew and goes on.
TEST(EtcdDriver, CompactedRevisionsAreReadAnew) {
    if (!std::filesystem::exists(EtcdProcess::binary())) GTEST_SKIP() << "not here: the Debian package etcd-server";
    const auto range = [](std::string_view text) { return parse_etcd_range("order-service", text).value(); };
    EXPECT_TRUE(range(R"({"header":{"revision":"3"}})").instances.empty());
    run_on_loop([](Context& context) -> task<void> {
        EtcdProcess etcd;
        http::Client http(context.world());
        Telemetry telemetry(silent_logger());
        const auto registry = open_registry(context.world(), http, telemetry, etcd.options()).value();
        const auto address = RegistryUrl::parse(etcd.options().url).value().servers.front();
        const auto ask = [&](std::string path, std::string body) -> task<void> {
            http::Request request;
            request.head.method = Method::post;
            request.head.method_name = "POST";
            request.head.target = path;
            request.body = body;
            EXPECT_EQ((co_await http.fetch(context, address, std::move(request))).value().status(), 200) << path;
        };
        co_await ask("/v3/kv/put", etcd_put("test/order-service/one", kOne, 0));
        co_await ask("/v3/kv/put", etcd_put("test/order-service/one", kOne, 0));
        co_await ask("/v3/kv/compaction", R"({"revision":"3"})");
        // A watch from before is refused with the revision that is left.
        EtcdState state{.instances = {}, .revision = 1};
        const auto exchange = (co_await http.open(context, address)).value();
        http::RequestHead head;
        head.method = Method::post;
        head.method_name = "POST";
        head.target = "/v3/watch";
        EXPECT_TRUE(co_await exchange->send_whole(context, head, etcd_watch("test/order-service/", 2)));
        LineReader lines(*exchange);
        EXPECT_TRUE(co_await exchange->receive(context));
        auto news = EtcdNews::none;
        while (news == EtcdNews::none)
            news = apply_etcd_watch(state, "order-service", (co_await lines.next(context)).value().value()).value();
        EXPECT_EQ(news, EtcdNews::lost);

        Scope scope(context);
        scope.spawn(registry->run(scope.context()));
        EXPECT_TRUE(co_await registry->resolve(context, "order-service"));
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        co_await scope.join();
    });
}

// DNS -------------------------------------------------------------------------------------------------------------

using Bytes = std::string;

Bytes number16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }
Bytes record(const Bytes& name, unsigned type, unsigned ttl, const Bytes& data) {
    return name + number16(type) + number16(1) + number16(0) + number16(ttl) +
           number16(static_cast<unsigned>(data.size())) + data;
}
const Bytes kPointerToName = "\xc0\x0c";

/// An answer to "_http._tcp.web.local" with an alias, two SRV records, and an address, names compressed.
Bytes srv_answer(std::uint16_t id) {
    const Bytes question = Bytes("\5_http\4_tcp\3web\5local", 21) + Bytes(1, '\0') + number16(33) + number16(1);
    const Bytes target = Bytes("\1a", 2) + "\xc0\x17"; // a.web.local
    return number16(id) + number16(0x8180) + number16(1) + number16(2) + number16(0) + number16(1) + question +
           record(kPointerToName, 33, 30, number16(1) + number16(5) + number16(80) + target) +
           record(kPointerToName, 33, 20, number16(2) + number16(0) + number16(81) + target) +
           record(target, 1, 10, Bytes("\x0a\0\0\7", 4));
}

const dns::Question kQuestion{"_http._tcp.web.local", dns::Type::srv};

// Goal: an answer is read with its names whole; another question's, and what is no answer, is refused.
TEST(DnsMessage, AnswerIsRead) {
    const auto message = srv_answer(7);
    const auto answer = dns::parse_answer(message, 7, kQuestion);
    ASSERT_TRUE(answer) << answer.error().message();
    ASSERT_EQ(answer->answers.size(), 2u);
    EXPECT_EQ(answer->answers[0], (dns::Record{.name = "_http._tcp.web.local",
                                               .type = dns::Type::srv,
                                               .ttl = 30,
                                               .text = "a.web.local",
                                               .priority = 1,
                                               .weight = 5,
                                               .port = 80}));
    ASSERT_EQ(answer->additional.size(), 1u);
    EXPECT_EQ(answer->additional[0].text, "10.0.0.7");
    EXPECT_FALSE(dns::parse_answer(message, 8, kQuestion)) << "another id";
    EXPECT_FALSE(dns::parse_answer(message, 7, {"_http._tcp.other.local", dns::Type::srv}));
    EXPECT_FALSE(dns::parse_answer(message, 7, {kQuestion.name, dns::Type::a}));
    EXPECT_FALSE(dns::parse_answer(dns::query(7, kQuestion), 7, kQuestion)) << "a query is no answer";
}

// Goal: whatever bytes come, reading ends and stays inside them; a name that points to itself is refused.
TEST(DnsMessage, DamagedAnswersAreRefused) {
    const auto message = srv_answer(7);
    for (std::size_t size = 0; size < message.size(); ++size)
        EXPECT_FALSE(dns::parse_answer(message.substr(0, size), 7, kQuestion)) << size;
    for (std::size_t at = 12; at < message.size(); ++at) {
        for (const int byte : {0x00, 0x3f, 0x40, 0xc0, 0xff}) {
            auto damaged = message;
            damaged[at] = static_cast<char>(byte);
            const auto answer = dns::parse_answer(damaged, 7, kQuestion);
            if (!answer) EXPECT_EQ(answer.error().kind(), Kind::bad_gateway);
        }
    }
    auto endless = message;
    endless[12] = '\xc0';
    endless[13] = '\x0c';
    EXPECT_FALSE(dns::parse_answer(endless, 7, kQuestion));
}

// Goal: resolv.conf is read as other resolvers read it.
TEST(DnsResolver, ResolvConfIsRead) {
    const auto system = dns::parse_resolv_conf("# made by somebody\nnameserver 10.96.0.10\nnameserver ::1 ; local\n"
                                               "search shop.svc.cluster.local svc.cluster.local .\n"
                                               "options ndots:5 timeout:1\nsortlist 1.2.3.4");
    EXPECT_EQ(system.servers, (std::vector{Address::tcp("10.96.0.10", 53), Address::tcp("::1", 53)}));
    EXPECT_EQ(system.search, (std::vector<std::string>{"shop.svc.cluster.local", "svc.cluster.local"}));
    EXPECT_EQ(system.ndots, 5);
    EXPECT_EQ(dns::parse_resolv_conf("").servers, (std::vector{Address::tcp("127.0.0.1", 53)}));
}

// Kubernetes ------------------------------------------------------------------------------------------------------

constexpr std::string_view kSlices =
    R"({"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"77"},"items":[
    {"metadata":{"name":"s4"},"addressType":"IPv4","ports":[{"name":"","port":80,"protocol":"TCP"}],"endpoints":[
     {"addresses":["10.0.0.1"],"conditions":{"ready":true,"serving":true,"terminating":false},"nodeName":"n1","zone":"z1",
      "targetRef":{"kind":"Pod","name":"p1","uid":"u1"}},
     {"addresses":["10.0.0.2"],"conditions":{"ready":false,"serving":true,"terminating":true},
      "targetRef":{"kind":"Pod","name":"p2","uid":"u2"}},
     {"addresses":["10.0.0.3"],"conditions":{"ready":false,"serving":false,"terminating":false}},
     {"addresses":["10.0.0.4"],"conditions":{}}]},
    {"metadata":{"name":"s6"},"addressType":"IPv6","ports":[{"name":"","port":80,"protocol":"TCP"}],"endpoints":[
     {"addresses":["fd00::1"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"p1","uid":"u1"}}]},
    {"metadata":{"name":"empty"},"addressType":"IPv4","ports":null,"endpoints":null}]})";

// Goal: ready endpoints are instances, once each; unknown counts as ready; those that end are used when none is ready.
TEST(EndpointSlices, ConditionsDecide) {
    EndpointSlices slices("web", "");
    ASSERT_TRUE(slices.take_list(kSlices));
    EXPECT_EQ(slices.resource_version(), "77");
    const auto ready = slices.instances();
    ASSERT_EQ(ready.size(), 2u);
    EXPECT_EQ(ready[1], (Instance{.id = "p1",
                                  .service = "web",
                                  .address = Address::tcp("10.0.0.1", 80),
                                  .host = "n1",
                                  .incarnation = "u1",
                                  .zone = "z1"}));
    EXPECT_EQ(ready[0].id, "10.0.0.4:80");

    constexpr std::string_view kEnding =
        R"({"type":"MODIFIED","object":{"metadata":{"name":"s4","resourceVersion":"78"},"addressType":"IPv4",
        "ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.2"],"conditions":{"ready":false,"serving":true,
        "terminating":true},"targetRef":{"name":"p2"}}]}})";
    EXPECT_EQ(slices.take_event(kEnding).value(), EndpointSlices::News::changed);
    EXPECT_EQ(
        slices.take_event(R"({"type":"DELETED","object":{"metadata":{"name":"s6","resourceVersion":"79"}}})").value(),
        EndpointSlices::News::changed);
    ASSERT_EQ(slices.instances().size(), 1u);
    EXPECT_EQ(slices.instances()[0].id, "p2");
    EXPECT_EQ(slices.resource_version(), "79");
    EXPECT_EQ(slices.take_event(R"({"type":"ERROR","object":{"kind":"Status","code":410}})").value(),
              EndpointSlices::News::expired);
    for (const auto* line : {"", "{}", R"({"type":"ERROR","object":{"code":500,"message":"no"}})",
                             R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}})"})
        EXPECT_FALSE(slices.take_event(line)) << line;
}

// Goal: of several ports the one that is named is taken, or that called http; else it is refused in words.
TEST(EndpointSlices, PortIsChosenByName) {
    const auto list = [](const std::string& ports) {
        return R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"s"},"addressType":"IPv4","ports":)" +
               ports + R"(,"endpoints":[{"addresses":["10.0.0.1"]}]}]})";
    };
    const auto port = [](std::string name, const std::string& body) -> Result<int> {
        EndpointSlices slices("web", std::move(name));
        if (auto taken = slices.take_list(body); !taken) return taken.error();
        return slices.instances().at(0).address.port;
    };
    const auto two =
        list(R"([{"name":"http","port":80},{"name":"admin","port":81},{"name":"dns","port":53,"protocol":"UDP"}])");
    EXPECT_EQ(port("", two).value(), 80);
    EXPECT_EQ(port("admin", two).value(), 81);
    EXPECT_TRUE(port("dns", two).error().message().contains("no TCP port named dns"));
    EXPECT_TRUE(
        port("", list(R"([{"name":"a","port":1},{"name":"b","port":2}])")).error().message().contains("?port=NAME"));
}

// Goal: a watch goes on where it was; what is no longer kept is listed again; the token is read for each.
TEST(KubernetesDriver, WatchesGoOnAndListsAreRepeatedAfter410) {
    run_on_loop([](Context& context) -> task<void> {
        FakeKubernetes kubernetes(context.world());
        TemporaryFolder folder;
        std::ofstream(folder.file("token")) << "secret-1\n";
        kubernetes.url_query = "?token_file=" + folder.file("token");
        http::Client http(context.world());
        Telemetry telemetry(silent_logger());
        const auto registry = open_registry(context.world(), http, telemetry, kubernetes.options()).value();
        Scope scope(context);
        scope.spawn(kubernetes.run(scope.context()));
        scope.spawn(registry->run(scope.context()));
        kubernetes.put(some_instance("a"));
        EXPECT_TRUE(co_await registry->resolve(context, "order-service"));
        co_await eventually(context, [&] { return kubernetes.watches == 1; });
        EXPECT_EQ(kubernetes.authorization, "Bearer secret-1");

        std::ofstream(folder.file("token")) << "secret-2\n";
        kubernetes.end_watches();
        co_await eventually(context, [&] { return kubernetes.watches == 2; });
        EXPECT_EQ(kubernetes.authorization, "Bearer secret-2");
        EXPECT_EQ(kubernetes.lists, 1) << "nothing was lost";
        kubernetes.put(some_instance("b"));
        co_await eventually(context, [&] { return registry->instances("order-service")->size() == 2; });

        kubernetes.end_watches();
        kubernetes.put(some_instance("c"));
        kubernetes.compact();
        co_await eventually(context, [&] { return kubernetes.lists == 2; });
        co_await eventually(context, [&] { return registry->instances("order-service")->size() == 3; });
        EXPECT_TRUE(registry->health());
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        co_await scope.join();
    });
}

// Eureka ----------------------------------------------------------------------------------------------------------

// Goal: a registration is what Eureka's own clients send.
TEST(EurekaWire, RegistrationIsGolden) {
    EXPECT_EQ(
        eureka_registration(some_instance("order-1"), 5s),
        R"({"instance":{"instanceId":"order-1","app":"ORDER-SERVICE","vipAddress":"order-service","hostName":"10.0.0.7",)"
        R"("ipAddr":"10.0.0.7","status":"UP","port":{"$":3002,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},)"
        R"("dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},)"
        R"("leaseInfo":{"renewalIntervalInSecs":1,"durationInSecs":5},"metadata":{"unix_socket":"/run/order.sock",)"
        R"("host":"host-a","version":"1.2.3","incarnation":"run-1","zone":"eu-1a","weight":"2.5",)"
        R"("contract_url":"http://10.0.0.7:3002/openapi.json","tags":"canary"}}})");
}

std::string eureka_answer(const std::string& instances, const std::string& hash_code) {
    return R"({"applications":{"versions__delta":"1","apps__hashcode":")" + hash_code +
           R"(","application":[{"name":"WEB","instance":)" + instances + "}]}}";
}
std::string eureka_instance(const std::string& id, const std::string& status, const std::string& action = "ADDED") {
    return R"({"instanceId":")" + id + R"(","hostName":"h","app":"WEB","ipAddr":"10.0.0.9","status":")" + status +
           R"(","overriddenStatus":"UNKNOWN","port":{"$":80,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},)"
           R"("countryId":1,"metadata":{"management.port":"80"},"actionType":")" +
           action + "\"}";
}

// Goal: deltas are applied, only who is UP is an instance, and a hash code that differs is noticed.
TEST(EurekaApps, DeltasAreAppliedAndChecked) {
    EurekaApps apps;
    ASSERT_TRUE(
        apps.take_all(eureka_answer("[" + eureka_instance("a", "UP") + "," + eureka_instance("b", "DOWN") + "]", "x")));
    EXPECT_EQ(apps.hash_code(), "DOWN_1_UP_1_");
    ASSERT_EQ(apps.instances_of("web").size(), 1u);
    EXPECT_EQ(apps.instances_of("web")[0],
              (Instance{.id = "a", .service = "web", .address = Address::tcp("10.0.0.9", 80)}));
    EXPECT_TRUE(apps.take_delta(eureka_answer(eureka_instance("b", "UP", "MODIFIED"), "UP_2_")).value());
    EXPECT_EQ(apps.instances_of("web").size(), 2u);
    EXPECT_TRUE(apps.take_delta(eureka_answer("[" + eureka_instance("a", "UP", "DELETED") + "]", "UP_1_")).value());
    EXPECT_FALSE(apps.take_delta(eureka_answer("[]", "UP_5_")).value()) << "come apart";
    EXPECT_EQ(apps.instances_of("web").size(), 1u);
    for (const auto* text : {"", "{}", "<html>", R"({"applications":{"application":[{"instance":[]}]}})"})
        EXPECT_FALSE(apps.take_all(text)) << text;
}

// Goal: after the first fetch only what changed is fetched; all of it again when that has come apart or is refused.
TEST(EurekaDriver, FetchesDeltasUntilTheyComeApart) {
    run_on_loop([](Context& context) -> task<void> {
        FakeEureka eureka(context.world());
        http::Client http(context.world());
        Telemetry telemetry(silent_logger());
        auto options = eureka.options();
        options.ttl = 1h;
        options.settling = 50ms;
        const auto registry = open_registry(context.world(), http, telemetry, options).value();
        Scope scope(context);
        scope.spawn(eureka.run(scope.context()));
        scope.spawn(registry->run(scope.context()));
        const auto count = [&] { return registry->instances("order-service")->size(); };
        registry->announce(some_instance("a"));
        registry->announce(some_instance("b", 3102));
        co_await eventually(context, [&] { return count() == 2; });
        eureka.set_status("a", "OUT_OF_SERVICE");
        co_await eventually(context, [&] { return count() == 1; });
        EXPECT_EQ(eureka.fetches, 1);
        EXPECT_GT(eureka.delta_fetches, 0);

        eureka.forget(); // its delta is empty now, and so is its hash code
        co_await eventually(context, [&] { return eureka.fetches >= 2; });
        EXPECT_EQ(count(), 1u) << "it may have begun anew";
        co_await eventually(context, [&] { return count() == 0; });

        eureka.deltas = false;
        const auto fetches = eureka.fetches;
        co_await eventually(context, [&] { return eureka.fetches > fetches + 2; });
        EXPECT_TRUE(registry->health());
        scope.cancel(Error(Kind::cancelled, "the test is over"));
        co_await scope.join();
    });
}

} // namespace
} // namespace flotilla::drivers_test
