#include "gateway/core/config.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/core/route_table.hpp"

namespace flotilla::gateway::config_test {
namespace {

namespace fs = std::filesystem;

// The checkout: told by the test runner, otherwise the tests run in it.
fs::path source_folder() {
    const char* told = std::getenv("FLOTILLA_SOURCE");
    return told ? told : ".";
}

std::string content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string mistakes(const std::string& text, const std::string& name) {
    auto config = parse_config(text, name);
    if (!config) return config.error().message() + "\n";
    auto routes = RouteTable::build(*config);
    return routes ? "" : routes.error().message() + "\n";
}

// Goal: every mistake names its line and says what was meant. Each config_golden/x.yaml has its messages in x.error.
TEST(GatewayConfig, MistakesGiveTheExpectedMessages) {
    std::size_t cases = 0;
    for (const auto& entry : fs::directory_iterator(source_folder() / "gateway/core/config_golden")) {
        if (entry.path().extension() != ".yaml") continue;
        ++cases;
        const auto expected = content(fs::path(entry.path()).replace_extension(".error"));
        EXPECT_FALSE(expected.empty()) << entry.path();
        EXPECT_EQ(mistakes(content(entry.path()), entry.path().filename().string()), expected) << entry.path();
    }
    EXPECT_GE(cases, 14u);
}

/// Of a message such as "a route must be a map with the keys match, to".
std::vector<std::string> keys_named_in(const std::string& message) {
    const std::string before = "must be a map with the keys ";
    const auto at = message.find(before);
    EXPECT_NE(at, std::string::npos) << message;
    std::vector<std::string> keys;
    const auto begin = at + before.size();
    std::istringstream list(message.substr(begin, message.find('\n', begin) - begin));
    for (std::string key; list >> key;)
        keys.push_back(key.substr(0, key.find(',')));
    return keys;
}

// Goal: whatever key a map may have, its value is read as that key's: a mistake in it is told under its name.
TEST(GatewayConfig, EachKeyHasAReaderOfItsOwn) {
    const std::vector<std::string> maps{
        "@",
        "routes: [@]",
        "routes: [{match: @}]",
        "compositions: [@]",
        "compositions: [{answer: {first: @}}]",
        "compositions: [{answer: {first: {expect: @}}}]",
        "compositions: [{on_failure: @}]",
        "access_log: @",
        "limits: @",
    };
    for (const auto& map : maps) {
        const auto with = [&](const std::string& value) {
            auto text = map;
            return text.replace(text.find('@'), 1, value);
        };
        const auto keys = keys_named_in(mistakes(with("[]"), "x"));
        EXPECT_GE(keys.size(), 2u) << map;
        for (const auto& key : keys)
            EXPECT_THAT(mistakes(with("{" + key + ": ~}"), "x"), testing::HasSubstr(": " + key + " must be ")) << map;
    }
}

// Goal: everything the file can say arrives in the configuration.
TEST(GatewayConfig, CompleteFileIsRead) {
    const auto config = parse_config(R"(
routes:
  - match: {host: Shop.Example, method: [GET, POST], path: ["/a/{id}", "/b/{id}"]}
    to: a-service
    rewrite: /x/{id}
    timeout: 1500ms
    body_bytes_max: 3000
compositions:
  - match: {path: "/c/{id}"}
    answer:
      first: {get: "a-service/x/{id}"}
      second: {get: "b-service/y?z={id}", required: false, timeout: 2s, fallback: {age_max: 5s}}
    timeout: 4s
    on_failure: {status: 500, error: Failed}
timeout: 20s
access_log: {sample: 10, slow: 2s}
limits: {body_bytes_max: 1000, composed_bytes_max: 2000}
)",
                                     "gateway.yaml");
    ASSERT_TRUE(config.has_value()) << config.error().message();
    const auto& route = config->routes.at(0);
    EXPECT_EQ(route.match.host, "shop.example");
    EXPECT_THAT(route.match.methods, testing::ElementsAre("GET", "POST"));
    EXPECT_THAT(route.match.paths, testing::ElementsAre("/a/{id}", "/b/{id}"));
    EXPECT_EQ(route.match.where.to_string(), "gateway.yaml:3");
    EXPECT_EQ(route.to, "a-service");
    EXPECT_EQ(route.rewrite, "/x/{id}");
    EXPECT_EQ(route.timeout, std::chrono::milliseconds(1500));
    EXPECT_EQ(route.body_bytes_max, 3000u);
    const auto& composition = config->compositions.at(0);
    EXPECT_EQ(composition.answer.at(0).service, "a-service");
    EXPECT_EQ(composition.answer.at(0).target, "/x/{id}");
    EXPECT_TRUE(composition.answer.at(0).required);
    EXPECT_EQ(composition.answer.at(1).target, "/y?z={id}");
    EXPECT_FALSE(composition.answer.at(1).required);
    EXPECT_EQ(composition.answer.at(1).timeout, std::chrono::seconds(2));
    EXPECT_EQ(composition.answer.at(1).fallback_age_max, std::chrono::seconds(5));
    EXPECT_EQ(composition.on_failure->status, 500);
    EXPECT_EQ(composition.on_failure->error, "Failed");
    EXPECT_EQ(config->timeout, std::chrono::seconds(20));
    EXPECT_EQ(config->access_log_sample, 10u);
    EXPECT_EQ(config->access_log_slow, std::chrono::seconds(2));
    EXPECT_EQ(config->body_bytes_max, 1000u);
    EXPECT_EQ(config->composed_bytes_max, 2000u);
}

// Goal: a service may be written as others write it: with http:// and its port, or with its Kubernetes namespace.
TEST(GatewayConfig, ServiceIsReadInEveryWayToWriteIt) {
    const auto config = parse_config(R"(
routes:
  - {match: {path: "/a"}, to: "http://user-service:3001"}
  - {match: {path: "/b"}, to: user-service.shop.svc.cluster.local}
compositions:
  - {match: {path: "/c"}, answer: {first: {get: "http://user-service:3001/users"}}}
)",
                                     "gateway.yaml");
    ASSERT_TRUE(config.has_value()) << config.error().message();
    EXPECT_EQ(config->routes.at(0).to, "user-service:3001");
    EXPECT_EQ(config->routes.at(1).to, "user-service.shop.svc.cluster.local");
    EXPECT_EQ(config->compositions.at(0).answer.at(0).service, "user-service:3001");
    EXPECT_EQ(config->compositions.at(0).answer.at(0).target, "/users");
}

// Goal: the log of slow requests can be turned off, and is on without being asked for.
TEST(GatewayConfig, SlowRequestsCanBeTurnedOff) {
    const std::string routes = "routes:\n  - {match: {path: /a}, to: a-service}\n";
    EXPECT_EQ(parse_config(routes, "g.yaml")->access_log_slow, std::chrono::milliseconds(500));
    const auto off = parse_config(routes + "access_log: {slow: off}\n", "g.yaml");
    ASSERT_TRUE(off.has_value()) << off.error().message();
    EXPECT_EQ(off->access_log_slow, Duration::zero());
    EXPECT_EQ(off->access_log_sample, 1u);
}

// Goal: the shop's own file is valid and leads every path of the shop to its service.
TEST(GatewayConfig, ShopRoutesLeadToTheServices) {
    const auto config = load_config((source_folder() / "gateway.yaml").string());
    ASSERT_TRUE(config.has_value()) << config.error().message();
    const auto routes = RouteTable::build(*config);
    ASSERT_TRUE(routes.has_value()) << routes.error().message();
    EXPECT_THAT(called_services(*config),
                testing::IsSupersetOf({"comment-service", "inventory-service", "notification-service", "order-service",
                                       "post-service", "product-service", "user-service"}));

    const auto service_of = [&](Method method, std::string_view path) -> std::string {
        const auto found = (*routes)->find(method, "localhost:3000", path);
        if (!found) return std::string(name(found.error().kind()));
        const auto& action = (*routes)->targets()[*found].action;
        const auto* proxy = std::get_if<ProxyAction>(&action);
        return proxy ? proxy->service : "composition";
    };
    for (const std::string prefix : {"/api", "/api/v1", ""}) {
        EXPECT_EQ(service_of(Method::post, prefix + "/users"), "user-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/users/42"), "user-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/users/42/dashboard"), "composition");
        EXPECT_EQ(service_of(Method::post, prefix + "/orders/42/confirm"), "order-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/products"), "product-service");
        EXPECT_EQ(service_of(Method::post, prefix + "/inventory/check"), "inventory-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/stock/42"), "inventory-service");
        EXPECT_EQ(service_of(Method::post, prefix + "/stock/42/restock"), "not_found");
        EXPECT_EQ(service_of(Method::get, prefix + "/shipments/42"), "shipping-service");
        EXPECT_EQ(service_of(Method::post, prefix + "/shipments/42"), "method_not_allowed");
        EXPECT_EQ(service_of(Method::post, prefix + "/quotes"), "shipping-service");
        EXPECT_EQ(service_of(Method::post, prefix + "/orders/42/confirmation"), "notification-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/notifications/stream"), "notification-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/notifications/parked"), "not_found");
        EXPECT_EQ(service_of(Method::put, prefix + "/preferences/42"), "notification-service");
        EXPECT_EQ(service_of(Method::post, prefix + "/cards"), "payment-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/invoices"), "payment-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/invoices/42"), "payment-service");
        EXPECT_EQ(service_of(Method::get, prefix + "/payments/42"), "not_found");
    }
    EXPECT_EQ(service_of(Method::get, "/nothing"), "not_found");
}

// Goal: a file that is not there is told from one that is wrong.
TEST(GatewayConfig, AbsentFileIsNotFound) {
    const auto config = load_config("/nonexistent/gateway.yaml");
    ASSERT_FALSE(config.has_value());
    EXPECT_EQ(config.error().kind(), Kind::not_found);
}

} // namespace
} // namespace flotilla::gateway::config_test
