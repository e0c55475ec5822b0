#pragma once

#include <flotilla/discovery/registry_driver.hpp>
#include <flotilla/discovery/registry_http.hpp>

namespace flotilla {

/// etcd from 3.4, by the JSON gateway on its client port. An instance is the key PREFIX/SERVICE/ID with its JSON, kept
/// by a lease; a service is followed by a watch of PREFIX/SERVICE/ from the revision that was read. A watch lives for
/// 30 s and is then taken up again where it was: a connection that has silently gone is noticed.
/// Source: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
class EtcdDriver final : public RegistryDriver, public InstanceAnnouncer {
public:
    /// etcd://HOST:PORT[,HOST:PORT]/[PREFIX]; the prefix is "flotilla" unless said. Errors: invalid.
    static Result<std::unique_ptr<RegistryDriver>> open(const DriverSetup& setup);

    task<Result<void>> follow(Context& context, WatchedService& service) override;
    InstanceAnnouncer* announcer() override { return this; }
    task<Result<void>> enrol(Context& context, const Instance& instance) override;
    task<Result<bool>> heartbeat(Context& context, const Instance& instance) override;
    task<Result<void>> deregister(Context& context, const Instance& instance) override;

private:
    struct Followed;

    EtcdDriver(World& world, RegistryHttp servers, std::string prefix, Duration ttl)
        : world_(world), servers_(std::move(servers)), prefix_(std::move(prefix)), ttl_(ttl) {}
    task<Result<std::string>> ask(Context& context, std::string target, std::string body);
    task<Result<void>> read_all(Context& context, WatchedService& service, Followed& followed);
    task<Result<void>> watch(Context& context, WatchedService& service, Followed& followed);

    World& world_;
    RegistryHttp servers_;
    std::string prefix_; ///< "flotilla"
    Duration ttl_;
    std::map<std::string, std::int64_t, std::less<>> leases_; ///< by instance id
};

} // namespace flotilla
