#include "hub/browser_guard.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <unistd.h>

#include <flotilla/base/ascii.hpp>

namespace flotilla::hub {

namespace {

/// Not served by public DNS, so that no stranger can own a name below them: RFC 6761, 6762, 8375, ICANN's .internal.
constexpr std::array<std::string_view, 4> kPrivateDomains{".local", ".internal", ".test", ".home.arpa"};

/// What Consul's API changes by GET, for clients written before Consul 1.0. A test compares it with the routes.
constexpr std::array<std::string_view, 5> kChangingGets{"/v1/agent/service/deregister/", "/v1/agent/check/deregister/",
                                                        "/v1/agent/check/pass/", "/v1/agent/check/warn/",
                                                        "/v1/agent/check/fail/"};

/// "Hub.example.com.:8500" as "hub.example.com", "[::1]:8500" as "::1".
std::string host_of(std::string_view authority) {
    if (authority.starts_with('[')) return ascii_lower(authority.substr(1, authority.find(']') - 1));
    auto host = authority.substr(0, authority.find(':'));
    if (host.ends_with('.')) host.remove_suffix(1);
    return ascii_lower(host);
}

/// As an origin writes it: without the port that http implies.
std::string origin_authority(std::string_view authority) {
    if (authority.ends_with(":80")) authority.remove_suffix(3);
    return ascii_lower(authority);
}

bool is_ip_address(const std::string& host) {
    in6_addr address{};
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool changes_something(const http::RequestHead& request) {
    const bool safe =
        request.method == Method::get || request.method == Method::head || request.method == Method::options;
    return !safe || std::ranges::any_of(kChangingGets, [&](auto prefix) { return request.path().starts_with(prefix); });
}

/// Where a page that sent this is from, if that is another place than the hub; empty: from none.
std::string foreign_origin(const http::RequestHead& request) {
    const auto origin = request.headers.get("Origin");
    if (const auto site = request.headers.get("Sec-Fetch-Site")) {
        const bool own = *site == "same-origin" || *site == "none"; // none: typed by the person
        return own ? std::string() : std::string(origin.value_or(*site));
    }
    if (!origin) return {};
    constexpr std::string_view kScheme = "http://";
    const bool own = origin->starts_with(kScheme) &&
                     origin_authority(origin->substr(kScheme.size())) == origin_authority(request.authority);
    return own ? std::string() : std::string(*origin);
}

} // namespace

BrowserGuard::BrowserGuard(Options options) : loopback_only_(options.loopback_only) {
    names_.emplace_back(".localhost");
    for (const auto& name : {options.listen_host, options.machine_name}) {
        if (!name.empty()) names_.push_back(ascii_lower(name));
    }
    for (const auto& name : options.allowed_hosts)
        names_.push_back(name.starts_with('.') ? ascii_lower(name) : host_of(name));
}

bool BrowserGuard::answers_to(std::string_view authority) const {
    const std::string host = host_of(authority);
    if (!host.contains('.') || is_ip_address(host)) return true;
    const auto is_below = [&](std::string_view domain) { return host.ends_with(domain); };
    if (!loopback_only_ && std::ranges::any_of(kPrivateDomains, is_below)) return true;
    return std::ranges::any_of(names_, [&](const std::string& name) {
        return name.starts_with('.') ? is_below(name) || host == std::string_view(name).substr(1) : host == name;
    });
}

Result<void> BrowserGuard::check(const http::RequestHead& request) const {
    if (!request.authority.empty() && !answers_to(request.authority)) {
        return Error(Kind::forbidden, "host_not_allowed",
                     "the hub does not answer to the name " + host_of(request.authority) +
                         ", which a page in a browser may have made up: call it by address, or start it with "
                         "--allowed-host " +
                         host_of(request.authority));
    }
    if (!changes_something(request)) return {};
    const std::string origin = foreign_origin(request);
    if (origin.empty()) return {};
    return Error(Kind::forbidden, "cross_site_request",
                 "a page of another site (" + origin +
                     ") asks to change something here: only programs and the hub's own "
                     "pages may");
}

std::string machine_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return {};
    return name.data();
}

} // namespace flotilla::hub
