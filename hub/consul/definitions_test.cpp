#include "hub/consul/definitions.hpp"

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>

namespace flotilla::hub::consul::definitions_test {
namespace {

using namespace std::chrono_literals;

Result<ServiceRegistration> service(std::string_view text) {
    auto value = json::parse_value(text);
    if (!value) return value.error();
    return parse_service_registration(*value);
}

Result<CheckDefinition> check(std::string_view text) {
    auto value = json::parse_value(text);
    if (!value) return value.error();
    return parse_check_registration(*value);
}

// Goal: a full registration in Consul's own spelling is understood whole.
TEST(ConsulDefinitions, ParseServiceWithEverythingKeepsEverything) {
    const auto parsed =
        service(R"({"ID":"web-1","Name":"web","Address":"10.0.0.1","Port":80,"Tags":["a","b"],"Meta":{"k":"v"},
        "TaggedAddresses":{"wan":{"Address":"1.2.3.4","Port":81}},"Weights":{"Passing":5,"Warning":2},"EnableTagOverride":true,
        "Checks":[{"TTL":"10s","Status":"passing","DeregisterCriticalServiceAfter":"1m"},
                  {"HTTP":"http://10.0.0.1/health","Interval":"5s","Timeout":"1s","Method":"POST","Header":{"X":["1","2"]},"Body":"b"},
                  {"TCP":"10.0.0.1:80","Interval":1000000000}]})");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->service.id, "web-1");
    EXPECT_EQ(parsed->service.port, 80);
    EXPECT_EQ(parsed->service.tags, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(parsed->service.meta.at("k"), "v");
    EXPECT_EQ(parsed->service.tagged_addresses.at("wan").port, 81);
    EXPECT_EQ(parsed->service.weight_passing, 5);
    EXPECT_TRUE(parsed->service.enable_tag_override);
    ASSERT_EQ(parsed->checks.size(), 3u);
    EXPECT_EQ(parsed->checks[0].ttl, Duration(10s));
    EXPECT_EQ(parsed->checks[0].status, CheckStatus::passing);
    EXPECT_EQ(parsed->checks[0].deregister_after, Duration(1min));
    EXPECT_EQ(parsed->checks[1].type, CheckType::http);
    EXPECT_EQ(parsed->checks[1].headers.size(), 2u);
    EXPECT_EQ(parsed->checks[2].type, CheckType::tcp);
    EXPECT_EQ(parsed->checks[2].interval, Duration(1s));
}

// Goal: the spellings of other clients (lower case, snake_case, nulls) mean the same.
TEST(ConsulDefinitions, ParseServiceInOtherSpellingsIsTheSame) {
    const auto parsed = service(R"({"name":"web","id":null,"address":null,"tags":null,"enable_tag_override":false,
        "check":{"ttl":"1s","deregister_critical_service_after":"90s"}})");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->service.id, "web");
    ASSERT_EQ(parsed->checks.size(), 1u);
    EXPECT_EQ(parsed->checks[0].deregister_after, Duration(90s));
}

// Goal: what makes no sense is refused with a text that says what.
TEST(ConsulDefinitions, ParseGarbageIsInvalidWithText) {
    for (const auto* text : {R"([])",
                             R"("x")",
                             R"({})",
                             R"({"Name":5})",
                             R"({"Name":"a","Port":"80"})",
                             R"({"Name":"a","Port":70000})",
                             R"({"Name":"a","TaggedAddresses":{"lan":{"Address":"a","Port":65536}}})",
                             R"({"Name":"a","Tags":"x"})",
                             R"({"Name":"a","Tags":[1]})",
                             R"({"Name":"a","Meta":{"k":1}})",
                             R"({"Name":"a","Address":"0.0.0.0"})",
                             R"({"Name":"a","Check":{"TTL":"soon"}})",
                             R"({"Name":"a","Check":{"Interval":"1s"}})",
                             R"({"Name":"a","Check":{"HTTP":"http://x"}})",
                             R"({"Name":"a","Check":{"TTL":"1s","Interval":"1s"}})",
                             R"({"Name":"a","Check":{"TTL":"1s","Status":"well"}})",
                             R"({"Name":"a","Check":{"HTTP":"ftp://x","Interval":"1s"}})",
                             R"({"Name":"a","Check":{"HTTP":"http://x","Interval":"1s","Header":{"A":["1\r\nB: 2"]}}})",
                             R"({"Name":"a","Check":{"HTTP":"http://x","Interval":"1s","Header":{"A B":["1"]}}})",
                             R"({"Name":"a","Check":{"HTTP":"http://x/ HTTP/1.1","Interval":"1s"}})",
                             R"({"Name":"a","Check":{"HTTP":"http://x","Interval":"1s","Method":"GET /"}})",
                             R"({"Name":"a","Checks":[5]})",
                             R"({"Name":"a","Weights":{"Passing":0}})",
                             R"({"Name":"a","Bogus":1})",
                             R"({"Name":"a","Meta":{"":"v"}})",
                             R"({"Name":"a","Meta":{"a b":"v"}})",
                             R"({"Name":"a","Meta":{"consul-x":"v"}})",
                             R"({"Name":"a","Check":{"TTL":"1s","Bogus":1}})",
                             R"({"Name":"a","Checks":[{"TTL":"1s","Bogus":1}]})",
                             R"({"Name":"a","TaggedAddresses":{"lan":{"Address":"a","Bogus":1}}})",
                             R"({"Name":"a","Weights":{"Passing":1,"Bogus":1}})",
                             R"({"Name":"a","Connect":{"Bogus":1}})",
                             R"({"Name":"a","Connect":{"SidecarService":{}}})",
                             R"({"Name":"a","Connect":{"Native":true}})",
                             R"({"Name":"a","Kind":"connect-proxy","Proxy":{"DestinationServiceName":"b"}})",
                             R"({"Name":"a","Locality":{"Region":"r"}})",
                             R"({"Name":"a","Check":{"AliasService":"b"}})",
                             R"({"Name":"a","Check":{"GRPC":"b:1","Interval":"1s"}})",
                             R"({"Name":"a","Check":{"HTTP":"http://x","TCP":"x:1","Interval":"1s"}})",
                             R"({"Name":"a","Check":{"TTL":"1s","OutputMaxSize":-1}})"}) {
        const auto parsed = service(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().kind(), Kind::invalid) << text;
        EXPECT_FALSE(parsed.error().message().empty()) << text;
    }
}

// Goal: what a client sends to say nothing (nulls, empty texts, false) is no request for it.
TEST(ConsulDefinitions, ParseServiceWithEmptyExtrasIsFine) {
    const auto parsed = service(R"({"Name":"a","Kind":"","Proxy":null,"Connect":{"Native":false,"SidecarService":null},
        "Token":"t","Check":{"TTL":"1s","Args":[],"GRPC":"","GRPCUseTLS":false,"AliasService":null}})");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->checks.size(), 1u);
}

// Goal: addresses that the address itself implies are added, as Consul does, and none of the given replaced.
TEST(ConsulDefinitions, ParseServiceAddsItsTaggedAddresses) {
    const auto parsed = service(
        R"({"Name":"a","Address":"10.0.0.1","Port":80,"TaggedAddresses":{"wan_ipv4":{"Address":"1.2.3.4","Port":1}}})");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->service.tagged_addresses.at("lan_ipv4"), (TaggedAddress{"10.0.0.1", 80}));
    EXPECT_EQ(parsed->service.tagged_addresses.at("wan_ipv4"), (TaggedAddress{"1.2.3.4", 1}));
    EXPECT_TRUE(service(R"({"Name":"a","Address":"::1"})")->service.tagged_addresses.contains("lan_ipv6"));
    EXPECT_TRUE(service(R"({"Name":"a","Address":"a.example"})")->service.tagged_addresses.empty());
}

// Goal: a check of its own needs a name, which is its id unless it has one.
TEST(ConsulDefinitions, ParseCheckNamesItself) {
    EXPECT_EQ(check(R"({"Name":"mem","TTL":"1s"})")->id, "mem");
    EXPECT_EQ(check(R"({"Name":"mem","ID":"m1","TTL":"1s","ServiceID":"web"})")->id, "m1");
    EXPECT_FALSE(check(R"({"TTL":"1s"})"));
}

// Goal: a duration that no clock can add is refused, however it is written.
TEST(ConsulDefinitions, ParseCheckWithAnEndlessDurationIsRefused) {
    for (const auto* ttl : {R"("2000000h")", "9223372036854775807", "-9223372036854775808"}) {
        const auto parsed = check(R"({"Name":"x","TTL":)" + std::string(ttl) + "}");
        ASSERT_FALSE(parsed) << ttl;
        EXPECT_EQ(parsed.error().kind(), Kind::invalid);
        EXPECT_NE(parsed.error().message().find("at most 100 years"), std::string::npos) << parsed.error().message();
    }
    EXPECT_TRUE(check(R"({"Name":"x","TTL":"876000h"})"));
}

} // namespace
} // namespace flotilla::hub::consul::definitions_test
