#pragma once

#include <flotilla/discovery/eureka/eureka_wire.hpp>
#include <flotilla/discovery/registry_driver.hpp>
#include <flotilla/discovery/registry_http.hpp>

namespace flotilla {

/// Eureka's REST API. All applications are fetched once, then what has changed, every few seconds, for all services
/// together; a hash code tells when that has come apart. Source:
/// https://github.com/Netflix/eureka/wiki/Eureka-REST-operations
class EurekaDriver final : public RegistryDriver, public InstanceAnnouncer {
public:
    /// eureka://HOST:PORT[,HOST:PORT]/[PATH][?fetch=5s]; the path is "eureka" unless said. Errors: invalid.
    static Result<std::unique_ptr<RegistryDriver>> open(const DriverSetup& setup);

    task<void> run(Context& context) override;
    task<Result<void>> follow(Context& context, WatchedService& service) override;
    InstanceAnnouncer* announcer() override { return this; }
    task<Result<void>> enrol(Context& context, const Instance& instance) override;
    task<Result<bool>> heartbeat(Context& context, const Instance& instance) override;
    task<Result<void>> deregister(Context& context, const Instance& instance) override;

private:
    EurekaDriver(World& world, RegistryHttp servers, std::string path, Duration fetch, Duration ttl)
        : world_(world), servers_(std::move(servers)), path_(std::move(path)), fetch_(fetch), ttl_(ttl) {}
    std::string path_of(const Instance& instance) const;
    task<Result<std::string>> get(Context& context, std::string target);
    task<Result<void>> fetch(Context& context);

    World& world_;
    RegistryHttp servers_;
    std::string path_; ///< "/eureka"
    Duration fetch_;
    Duration ttl_;
    EurekaApps apps_;
    std::uint64_t fetches_ = 0; ///< how often `apps_` was brought up to date
    std::uint64_t doubts_ = 0;  ///< how often it turned out to have come apart
    std::optional<Error> error_;
    EventList fetched_; ///< or failed
};

} // namespace flotilla
