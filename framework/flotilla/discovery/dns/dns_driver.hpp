#pragma once

#include <flotilla/discovery/dns/dns_resolver.hpp>
#include <flotilla/discovery/registry_driver.hpp>

namespace flotilla {

/// DNS, hence the names of Kubernetes and Compose. Where the port is known, from the service's name or the URL, the
/// addresses (A, else AAAA) of the name; else its SRV records. Asked again when the first of them runs out, between 1 s
/// and 5 minutes. Announces nothing: names are given by whoever runs the instances.
class DnsDriver final : public RegistryDriver {
public:
    /// dns://[HOST[:PORT],...]/[DOMAIN][?port=N&srv=PREFIX]. Without a host: what /etc/resolv.conf says. DOMAIN is
    /// appended to names; PREFIX stands before those of SRV records, "_http._tcp" unless said. Errors: invalid.
    static Result<std::unique_ptr<RegistryDriver>> open(const DriverSetup& setup);

    task<Result<void>> follow(Context& context, WatchedService& service) override;

private:
    struct Options {
        dns::SystemResolver system;
        bool own_domain = false; ///< `system.search` is the URL's
        std::uint16_t port = 0;
        std::string srv_prefix; ///< with its dot; or empty
    };
    struct Found;

    DnsDriver(World& world, Options options)
        : world_(world), options_(std::move(options)), resolver_(world, options_.system.servers) {}
    std::vector<std::string> names_of(const std::string& host) const;
    task<Result<Found>> find(Context& context, const ServiceName& name);
    task<Result<bool>> find_addresses(Context& context, const std::string& host, dns::Record at, Found& found);
    task<Result<bool>> find_records(Context& context, const std::string& host, Found& found);

    World& world_;
    Options options_;
    dns::Resolver resolver_;
};

} // namespace flotilla
