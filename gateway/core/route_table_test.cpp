#include "gateway/core/route_table.hpp"

#include <gtest/gtest.h>

namespace flotilla::gateway::route_table_test {
namespace {

std::shared_ptr<const RouteTable> table(const std::string& yaml) {
    auto config = parse_config(yaml, "test.yaml");
    if (!config) throw std::runtime_error(config.error().message());
    auto routes = RouteTable::build(*config);
    if (!routes) throw std::runtime_error(routes.error().message());
    return *routes;
}

std::string service(const RouteTable& routes, Method method, std::string_view host, std::string_view path) {
    const auto found = routes.find(method, host, path);
    if (!found) return std::string(name(found.error().kind()));
    return std::get<ProxyAction>(routes.targets()[*found].action).service;
}

// Goal: routes of the request's host come before those of any host, which still serve what it has not.
TEST(RouteTable, HostRoutesComeFirst) {
    const auto routes = table(R"(
routes:
  - match: {path: /a}
    to: any-service
  - match: {path: /b}
    to: b-service
  - match: {host: shop.example, path: /a}
    to: shop-service
)");
    EXPECT_EQ(service(*routes, Method::get, "shop.example", "/a"), "shop-service");
    EXPECT_EQ(service(*routes, Method::get, "SHOP.example:8080", "/a"), "shop-service");
    EXPECT_EQ(service(*routes, Method::get, "other.example", "/a"), "any-service");
    EXPECT_EQ(service(*routes, Method::get, "shop.example", "/b"), "b-service");
    EXPECT_EQ(service(*routes, Method::get, "[::1]:3000", "/b"), "b-service");
    EXPECT_EQ(service(*routes, Method::get, "shop.example", "/c"), "not_found");
}

// Goal: methods choose between routes of one path, and a wrong one is told from an unknown path.
TEST(RouteTable, MethodChoosesAndIsReported) {
    const auto routes = table(R"(
routes:
  - match: {path: /a, method: [GET, PUT]}
    to: read-service
  - match: {path: /a, method: POST}
    to: write-service
)");
    EXPECT_EQ(service(*routes, Method::put, "h", "/a"), "read-service");
    EXPECT_EQ(service(*routes, Method::head, "h", "/a"), "read-service");
    EXPECT_EQ(service(*routes, Method::post, "h", "/a"), "write-service");
    EXPECT_EQ(service(*routes, Method::delete_, "h", "/a"), "method_not_allowed");
    EXPECT_EQ(routes->allowed("h", "/a"), "GET, HEAD, POST, PUT");
    EXPECT_EQ(service(*routes, Method::delete_, "h", "/b"), "not_found");
}

// Goal: a trailing slash is part of the path; who wants both spellings names both.
TEST(RouteTable, TrailingSlashIsAnotherPath) {
    const auto routes = table(R"(
routes:
  - match: {path: /strict}
    to: a-service
  - match: {path: [/both, /both/]}
    to: b-service
)");
    EXPECT_EQ(service(*routes, Method::get, "h", "/strict"), "a-service");
    EXPECT_EQ(service(*routes, Method::get, "h", "/strict/"), "not_found");
    EXPECT_EQ(service(*routes, Method::get, "h", "/both"), "b-service");
    EXPECT_EQ(service(*routes, Method::get, "h", "/both/"), "b-service");
}

// Goal: a route's own limits arrive at its target; without, the body's is the configuration's.
TEST(RouteTable, OwnLimitsAreKept) {
    const auto routes = table(R"(
routes:
  - match: {path: /slow}
    to: a-service
    timeout: 2m
    body_bytes_max: 1000000000
  - match: {path: /fast}
    to: a-service
    timeout: 1s
  - match: {path: /normal}
    to: a-service
limits: {body_bytes_max: 1000}
)");
    EXPECT_EQ(routes->targets()[0].timeout, std::chrono::minutes(2));
    EXPECT_EQ(routes->targets()[0].body_bytes_max, 1'000'000'000u);
    EXPECT_EQ(routes->targets()[1].timeout, std::chrono::seconds(1));
    EXPECT_EQ(routes->targets()[1].body_bytes_max, 1000u);
    EXPECT_EQ(routes->targets()[2].timeout, std::nullopt);
}

} // namespace
} // namespace flotilla::gateway::route_table_test
