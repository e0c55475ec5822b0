#include <flotilla/discovery/registry.hpp>

#include <algorithm>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/discovery/combined_registry.hpp>
#include <flotilla/discovery/consul/consul_driver.hpp>
#include <flotilla/discovery/dns/dns_driver.hpp>
#include <flotilla/discovery/etcd/etcd_driver.hpp>
#include <flotilla/discovery/eureka/eureka_driver.hpp>
#include <flotilla/discovery/kubernetes/kubernetes_driver.hpp>
#include <flotilla/discovery/remote_registry.hpp>
#include <flotilla/discovery/static_registry.hpp>

namespace flotilla {
namespace {

constexpr Duration kTtlMin = std::chrono::milliseconds(10);
constexpr std::string_view kStatic = "static:";

struct DriverKind {
    std::string_view scheme;
    Result<std::unique_ptr<RegistryDriver>> (*open)(const DriverSetup& setup);
    std::uint16_t default_port = 0;
};

/// The only list of drivers.
constexpr DriverKind kDrivers[] = {
    {"consul", &ConsulDriver::open}, {"etcd", &EtcdDriver::open},
    {"dns", &DnsDriver::open, 53},   {"kubernetes+http", &KubernetesDriver::open, 8001},
    {"eureka", &EurekaDriver::open}, {"kubernetes", &KubernetesDriver::refuse_tls, 443},
};

Error unknown_scheme(std::string_view url) {
    std::vector<std::string> known{"static"};
    for (const auto& kind : kDrivers)
        known.emplace_back(kind.scheme);
    const std::string scheme(url.substr(0, url.find(':')));
    std::string text = "registry URL \"" + std::string(url) + "\": expected static: or SCHEME://HOST:PORT with one of";
    for (const auto& each : known)
        text += " " + each;
    return {Kind::invalid, text + ", found the scheme \"" + scheme + "\"" + did_you_mean(scheme, known)};
}

Result<std::unique_ptr<Registry>> open_one(World& world, http::Client& http, Telemetry& telemetry,
                                           const RegistryOptions& options) {
    if (options.url == kStatic) return std::make_unique<StaticRegistry>(options.fixed);
    const auto colon = options.url.find("://");
    const auto scheme = colon == std::string::npos ? std::string() : options.url.substr(0, colon);
    const auto* kind = std::ranges::find(kDrivers, scheme, &DriverKind::scheme);
    if (kind == std::end(kDrivers)) return unknown_scheme(options.url);
    const auto url = RegistryUrl::parse(options.url, kind->default_port);
    if (!url) return url.error();
    auto driver = kind->open({world, http, telemetry, options, *url});
    if (!driver) return std::move(driver.error());
    return std::make_unique<RemoteRegistry>(world, telemetry, std::move(*driver), options);
}

} // namespace

Address Instance::best_address(std::string_view this_host) const {
    if (!unix_socket.empty() && host == this_host) return Address::unix_socket(unix_socket);
    return address;
}

Result<std::unique_ptr<Registry>> open_registry(World& world, http::Client& http, Telemetry& telemetry,
                                                RegistryOptions options) {
    if (options.ttl < kTtlMin)
        return Error(Kind::invalid, "the registry's ttl must be at least 10ms, found " + to_string(options.ttl));
    std::vector<std::unique_ptr<Registry>> parts;
    for (const auto url : split_registry_urls(options.url)) {
        RegistryOptions its = options;
        its.url = url;
        // Each keeps a file of its own: what one knows must not hide what another does.
        if (!parts.empty() && !its.cache_file.empty()) its.cache_file += "." + std::to_string(parts.size() + 1);
        auto part = open_one(world, http, telemetry, its);
        if (!part) return std::move(part.error());
        parts.push_back(std::move(*part));
    }
    if (parts.size() == 1) return std::move(parts.front());
    return std::make_unique<CombinedRegistry>(std::move(parts));
}

} // namespace flotilla
