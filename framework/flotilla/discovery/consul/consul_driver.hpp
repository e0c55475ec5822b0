#pragma once

#include <flotilla/discovery/registry_driver.hpp>
#include <flotilla/discovery/registry_http.hpp>

namespace flotilla {

/// Consul's HTTP API, hence the hub's. Announcements are services with a TTL check; a service is followed with blocking
/// queries of 30 s, and so are the keys below a prefix. Source:
/// https://developer.hashicorp.com/consul/api-docs/features/blocking
class ConsulDriver final : public RegistryDriver, public InstanceAnnouncer, public KeyValues {
public:
    /// consul://HOST:PORT. Errors: invalid.
    static Result<std::unique_ptr<RegistryDriver>> open(const DriverSetup& setup);

    task<Result<void>> follow(Context& context, WatchedService& service) override;
    InstanceAnnouncer* announcer() override { return this; }
    KeyValues* key_values() override { return this; }
    task<Result<void>> follow(Context& context, std::string prefix,
                              std::function<void(std::vector<KeyValue>)> take) override;
    task<Result<void>> enrol(Context& context, const Instance& instance) override;
    task<Result<bool>> heartbeat(Context& context, const Instance& instance) override;
    task<Result<void>> deregister(Context& context, const Instance& instance) override;

private:
    ConsulDriver(World& world, RegistryHttp agent, Duration ttl) : world_(world), agent_(std::move(agent)), ttl_(ttl) {}
    task<Result<std::uint64_t>> poll(Context& context, WatchedService& service, std::uint64_t index);
    task<Result<http::Response>> query(Context& context, std::string target, std::uint64_t index);

    World& world_;
    RegistryHttp agent_;
    Duration ttl_;
};

} // namespace flotilla
