#include <flotilla/discovery/consul_wire.hpp>

#include <gtest/gtest.h>

#include <flotilla/discovery/fake_consul.hpp>

namespace flotilla::consul_wire_test {
namespace {

constexpr std::string_view kEntry = R"([{"Node":{"Node":"n1","Address":"10.1.1.1"},
    "Service":{"ID":"b","Service":"web","Address":"","Port":81,"Meta":null},"Checks":[]},
    {"Node":{"Node":"n1","Address":"10.1.1.1"},
    "Service":{"ID":"a","Service":"web","Address":"10.2.2.2","Port":80,
               "Meta":{"unix_socket":"/s","host":"h","version":"v"}},"Checks":[]}])";

// Goal: instances come out in a stable order; an empty address is the node's; missing metadata is empty.
TEST(ConsulWire, ParseHealthAnswerGivesInstancesById) {
    const auto parsed = parse_health_answer("web", kEntry);
    ASSERT_TRUE(parsed) << parsed.error().message();
    ASSERT_EQ(parsed->size(), 2u);
    EXPECT_EQ((*parsed)[0], (Instance{"a", "web", Address::tcp("10.2.2.2", 80), "/s", "h", "v"}));
    EXPECT_EQ((*parsed)[1], (Instance{"b", "web", Address::tcp("10.1.1.1", 81), "", "", ""}));
}

// Goal: an empty list is an answer, anything else that is not a list of instances is not.
TEST(ConsulWire, ParseHealthAnswerTellsEmptyFromGarbage) {
    EXPECT_TRUE(parse_health_answer("web", "[]")->empty());
    for (const auto* text :
         {"", "{}", "null", "<html>", "[1]", R"([{"Service":{}}])", R"([{"Service":{"ID":"a","Address":"x"}}])",
          R"([{"Service":{"ID":"a","Address":"x","Port":70000}}])"}) {
        const auto parsed = parse_health_answer("web", text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().kind(), Kind::bad_gateway) << text;
    }
}

// Goal: the registration says exactly what Consul needs to find, check and forget the instance.
TEST(ConsulWire, RegistrationBodyIsGolden) {
    const auto instance = some_instance("order-1");
    EXPECT_EQ(
        registration_body({instance, std::chrono::seconds(5), "run-1"}),
        R"({"ID":"order-1","Name":"order-service","Address":"10.0.0.7","Port":3002,)"
        R"("Meta":{"unix_socket":"/run/order.sock","host":"host-a","version":"1.2.3","incarnation":"run-1"},)"
        R"("Check":{"CheckID":"service:order-1","TTL":"5000ms","Status":"passing","DeregisterCriticalServiceAfter":"1m"}})");
}

// Goal: the cache gives back what was put in; a damaged one is refused whole.
TEST(ConsulWire, CacheTextReadsBack) {
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

} // namespace
} // namespace flotilla::consul_wire_test
