#include <flotilla/discovery/consul/consul_wire.hpp>

#include <gtest/gtest.h>

#include <flotilla/discovery/conformance/test_support.hpp>

namespace flotilla::consul_wire_test {
namespace {

constexpr std::string_view kEntry = R"([{"Node":{"Node":"n1","Address":"10.1.1.1"},
    "Service":{"ID":"b","Service":"web","Address":"","Port":81,"Meta":null},"Checks":[]},
    {"Node":{"Node":"n1","Address":"10.1.1.1"},
    "Service":{"ID":"a","Service":"web","Address":"10.2.2.2","Port":80,
               "Tags":["t"],"Weights":{"Passing":9,"Warning":1},
               "Meta":{"unix_socket":"/s","host":"h","version":"v","incarnation":"i","zone":"z","weight":"0.5",
                       "contract_url":"http://10.2.2.2/openapi.json"}},"Checks":[]},
    {"Node":{"Node":"n1","Address":"10.1.1.1"},
    "Service":{"ID":"c","Service":"web","Address":"10.3.3.3","Port":82,"Tags":null,"Weights":{"Passing":9,"Warning":1},
               "Meta":{"weight":"-1"}},"Checks":[]},
    {"Node":{"Node":"n1","Address":"10.1.1.1"},
    "Service":{"ID":"d","Service":"web","Address":"10.4.4.4","Port":83,"Weights":{"Passing":9,"Warning":1}},"Checks":[]}])";

// Goal: values are decoded; what is no list of entries is refused.
TEST(ConsulWire, ParseKeyValuesDecodesThem) {
    const auto parsed = parse_key_values(R"([{"LockIndex":0,"Key":"a/b","Flags":0,"Value":"MQ==","CreateIndex":7},
                                             {"Key":"a/c","Value":null}])");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(*parsed, (std::vector<KeyValue>{{"a/b", "1"}, {"a/c", ""}}));
    for (const auto* wrong : {"", "{}", "[1]", R"([{"Value":"MQ=="}])", R"([{"Key":"a","Value":"?"}])"})
        EXPECT_FALSE(parse_key_values(wrong)) << wrong;
}

// Goal: an empty address is the node's; missing metadata is empty.
TEST(ConsulWire, ParseHealthAnswerGivesInstances) {
    const auto parsed = parse_health_answer("web", kEntry);
    ASSERT_TRUE(parsed) << parsed.error().message();
    ASSERT_EQ(parsed->size(), 4u);
    EXPECT_EQ((*parsed)[1], (Instance{"a",
                                      "web",
                                      Address::tcp("10.2.2.2", 80),
                                      "/s",
                                      "h",
                                      "v",
                                      "i",
                                      "z",
                                      0.5,
                                      {"t"},
                                      "http://10.2.2.2/openapi.json"}));
    EXPECT_EQ((*parsed)[0], (Instance{"b", "web", Address::tcp("10.1.1.1", 81), "", "", ""}));
    EXPECT_EQ((*parsed)[2].weight, 1) << "a weight that is none";
    EXPECT_EQ((*parsed)[3].weight, 9) << "a stranger's";
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
        registration_body(instance, std::chrono::seconds(5)),
        R"({"ID":"order-1","Name":"order-service","Tags":["canary"],"Address":"10.0.0.7","Port":3002,)"
        R"("Meta":{"unix_socket":"/run/order.sock","host":"host-a","version":"1.2.3","incarnation":"run-1",)"
        R"("zone":"eu-1a","weight":"2.5","contract_url":"http://10.0.0.7:3002/openapi.json"},)"
        R"("Weights":{"Passing":3,"Warning":1},)"
        R"("Check":{"CheckID":"service:order-1","TTL":"5000ms","Status":"passing","DeregisterCriticalServiceAfter":"1m"}})");
}

} // namespace
} // namespace flotilla::consul_wire_test
