#include <flotilla/discovery/registry.hpp>

#include <flotilla/discovery/consul_registry.hpp>
#include <flotilla/discovery/static_registry.hpp>

namespace flotilla {

Address Instance::best_address(std::string_view this_host) const {
    if (!unix_socket.empty() && host == this_host) return Address::unix_socket(unix_socket);
    return address;
}

Result<std::unique_ptr<Registry>> open_registry(World& world, http::Client& http, Logger log, RegistryOptions options) {
    const std::string_view url = options.url;
    const auto colon = url.find(':');
    const auto scheme = url.substr(0, colon);
    if (scheme == "static") return std::make_unique<StaticRegistry>(options.fixed);
    if (scheme == "consul" && url.starts_with("consul://")) {
        auto text = url.substr(std::string_view("consul://").size());
        if (text.ends_with('/')) text.remove_suffix(1);
        auto address = Address::parse(text);
        if (!address) return std::move(address.error()).with_context("registry URL " + options.url);
        if (options.ttl < std::chrono::milliseconds(10)) {
            return Error(Kind::invalid, "the registry's ttl must be at least 10ms, found " + to_string(options.ttl));
        }
        return std::make_unique<ConsulRegistry>(world, http, std::move(log), *address, std::move(options));
    }
    return Error(Kind::invalid, "registry URL \"" + options.url +
                                    "\": expected consul://HOST:PORT or static:, found scheme \"" +
                                    std::string(scheme) + "\"");
}

} // namespace flotilla
