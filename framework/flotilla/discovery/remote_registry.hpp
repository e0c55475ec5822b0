#pragma once

#include <flotilla/discovery/announcements.hpp>

namespace flotilla {

/// A registry that is asked over the network, in whichever protocol its driver speaks: keeps what was answered last (in
/// the cache file too), asks again with jitter when that fails, announces with heartbeats.
class RemoteRegistry final : public Registry {
public:
    /// options.url is the driver's. `telemetry` must outlive it.
    RemoteRegistry(World& world, Telemetry& telemetry, std::unique_ptr<RegistryDriver> driver, RegistryOptions options);

    void announce(Instance instance) override;
    task<Result<void>> withdraw(Context& context) override;
    Instances instances(std::string_view service) override;
    task<Result<Instances>> resolve(Context& context, std::string service) override;
    task<void> run(Context& context) override;
    Result<void> health() const override;
    KeyValues* key_values() override { return driver_->key_values(); }

private:
    WatchedService& watch(std::string_view service);
    task<void> follow(Context& context, WatchedService& service);

    World& world_;
    Telemetry& telemetry_;
    std::unique_ptr<RegistryDriver> driver_;
    std::string url_;
    CacheFile cache_;
    Outage outage_;
    WatchedService::Shared shared_;
    std::optional<Announcements> announcements_;
    std::map<std::string, std::unique_ptr<WatchedService>, std::less<>> watched_; ///< by what callers write
    Scope* scope_ = nullptr;                                                      ///< while run() runs
};

} // namespace flotilla
