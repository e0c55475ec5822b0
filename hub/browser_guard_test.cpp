#include "hub/browser_guard.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <gtest/gtest.h>

#include "hub/consul/request.hpp"

namespace flotilla::hub::browser_guard_test {
namespace {

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

http::RequestHead request(Method method, std::string target, std::string authority, Fields fields = {}) {
    http::RequestHead head;
    head.method = method;
    head.method_name = name(method);
    head.target = std::move(target);
    head.authority = std::move(authority);
    for (const auto& [key, value] : fields)
        head.headers.add(key, value);
    return head;
}

/// The code of the refusal; "ok" when there is none.
std::string verdict(const BrowserGuard& guard, const http::RequestHead& head) {
    const auto checked = guard.check(head);
    return checked ? "ok" : checked.error().code();
}

std::string verdict_of_host(const BrowserGuard& guard, std::string authority) {
    return verdict(guard, request(Method::get, "/v1/catalog/services", std::move(authority)));
}

const BrowserGuard kLocal({.listen_host = "127.0.0.1",
                           .loopback_only = true,
                           .machine_name = "Box.example.org",
                           .allowed_hosts = {"hub.Example.com:8500", ".fleet.example"}});

// Goal: a page whose name was made to lead here (DNS rebinding) reads and writes nothing, and the refusal says what to
// do.
TEST(BrowserGuard, NamesOfStrangersAreRefused) {
    for (const char* host : {"evil.example:8500", "localhost.evil.example", "127.0.0.1.evil.example",
                             "box.evil.example", "xhub.example.com", "xfleet.example", "hub.local", "1.2.3:8500"})
        EXPECT_EQ(verdict_of_host(kLocal, host), "host_not_allowed") << host;
    const auto refused = kLocal.check(request(Method::get, "/livez", "evil.example:8500"));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("--allowed-host evil.example"), std::string::npos);
    EXPECT_EQ(http_status(refused.error().kind()), 403);
}

// Goal: addresses, loopback names, names without a dot, this machine's and those allowed are answered to.
TEST(BrowserGuard, OwnNamesAreAnsweredTo) {
    for (const char* host : {"127.0.0.1:8500", "127.0.0.1", "[::1]:8500", "[2001:db8::1]", "10.1.2.3:8500", "localhost",
                             "LocalHost.:8500", "hub.localhost:8500", "hub", "box.example.org:8500", "hub.example.com",
                             "fleet.example", "a.b.Fleet.example:1", ""})
        EXPECT_EQ(verdict_of_host(kLocal, host), "ok") << host;
    const BrowserGuard wide(
        {.listen_host = "hub.example.net", .loopback_only = false, .machine_name = "", .allowed_hosts = {}});
    for (const char* host : {"hub.example.net:8500", "hub.local", "hub.ns.svc.cluster.local:8500",
                             "host.docker.internal", "a.test", "nas.home.arpa"})
        EXPECT_EQ(verdict_of_host(wide, host), "ok") << host;
    EXPECT_EQ(verdict_of_host(wide, "evil.example"), "host_not_allowed");
}

// Goal: what changes something is refused to pages of other sites, in browsers of today and of before; programs and the
// hub's own pages are not hindered, nor is reading, whose answer a browser keeps from the page.
TEST(BrowserGuard, ChangesByOtherSitesAreRefused) {
    constexpr const char* kHost = "127.0.0.1:8500";
    const auto asks = [&](Method method, Fields fields, const char* target = "/v1/kv/a") {
        return verdict(kLocal, request(method, target, kHost, fields));
    };
    for (const Method method : {Method::put, Method::post, Method::delete_, Method::patch, Method::other}) {
        EXPECT_EQ(asks(method, {}), "ok") << "curl";
        EXPECT_EQ(asks(method, {{"Sec-Fetch-Site", "cross-site"}}), "cross_site_request");
        EXPECT_EQ(asks(method, {{"Sec-Fetch-Site", "same-site"}}), "cross_site_request") << "another port of this host";
        EXPECT_EQ(asks(method, {{"Sec-Fetch-Site", "nonsense"}}), "cross_site_request");
        EXPECT_EQ(asks(method, {{"Origin", "http://evil.example"}}), "cross_site_request");
        EXPECT_EQ(asks(method, {{"Origin", "null"}}), "cross_site_request") << "a sandboxed page, a file";
        EXPECT_EQ(asks(method, {{"Origin", "http://127.0.0.1:3000"}}), "cross_site_request");
        EXPECT_EQ(asks(method, {{"Origin", "http://127.0.0.1:8500.evil.example"}}), "cross_site_request");
        EXPECT_EQ(asks(method, {{"Origin", "http://127.0.0.1:8500"}}), "ok");
        EXPECT_EQ(asks(method, {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://hub.example.com"}}), "ok")
            << "behind a proxy with TLS";
        EXPECT_EQ(asks(method, {{"Sec-Fetch-Site", "none"}}), "ok");
    }
    EXPECT_EQ(asks(Method::get, {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil.example"}}), "ok");
    EXPECT_EQ(asks(Method::get, {{"Sec-Fetch-Site", "cross-site"}}, "/v1/agent/service/deregister/web"),
              "cross_site_request");
    EXPECT_EQ(asks(Method::get, {}, "/v1/agent/service/deregister/web"), "ok") << "older Consul clients";
}

// Goal: no GET of the Consul API that changes something is forgotten: such routes take PUT as well.
TEST(BrowserGuard, EveryChangingGetIsKnown) {
    for (const auto routes :
         {consul::agent_routes(), consul::catalog_routes(), consul::kv_routes(), consul::session_routes()}) {
        for (const auto& route : routes) {
            const bool takes_get = std::ranges::find(route.methods, Method::get) != route.methods.end();
            const bool takes_put = std::ranges::find(route.methods, Method::put) != route.methods.end();
            const bool told_by_method = route.path == "/v1/kv/" || route.path == "/v1/acl/"; // GET only reads
            const auto asked =
                request(Method::get, std::string(route.path) + "x", "localhost", {{"Sec-Fetch-Site", "cross-site"}});
            const bool changes = takes_get && takes_put && !told_by_method;
            EXPECT_EQ(verdict(kLocal, asked), changes ? "cross_site_request" : "ok") << route.path;
        }
    }
}

} // namespace
} // namespace flotilla::hub::browser_guard_test
