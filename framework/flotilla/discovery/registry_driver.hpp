#pragma once

#include <flotilla/discovery/registry.hpp>
#include <flotilla/discovery/registry_url.hpp>
#include <flotilla/discovery/watched_service.hpp>

namespace flotilla {

/// How a driver announces. Called by one task per instance.
class InstanceAnnouncer {
public:
    virtual ~InstanceAnnouncer() = default;
    /// Makes the registry know the instance as one that is well; also again, when it knows it already.
    virtual task<Result<void>> enrol(Context& context, const Instance& instance) = 0;
    /// Keeps it known. false: the registry does not know it (any more).
    virtual task<Result<bool>> heartbeat(Context& context, const Instance& instance) = 0;
    /// Makes the registry forget it; it may never have known it.
    virtual task<Result<void>> deregister(Context& context, const Instance& instance) = 0;
};

/// What a driver is opened with; all of it outlives the driver but the options.
struct DriverSetup {
    World& world;
    http::Client& http;
    Telemetry& telemetry;
    const RegistryOptions& options;
    const RegistryUrl& url;
};

/// One registry's protocol, without what all have in common: that is RemoteRegistry's. Every call to the registry is
/// bounded in time by the driver. Thread-safety: none; one per loop.
class RegistryDriver {
public:
    virtual ~RegistryDriver() = default;
    /// Follows a service for as long as that goes well: each answer of the registry goes to service.take(). Returns
    /// what failed, or ok when it is only to be begun anew. Either way it is called again after a pause.
    virtual task<Result<void>> follow(Context& context, WatchedService& service) = 0;
    /// What it does for all services together; until the context is cancelled.
    virtual task<void> run([[maybe_unused]] Context& context) { co_return; }
    /// Null: others announce the instances there.
    virtual InstanceAnnouncer* announcer() { return nullptr; }
    /// As Registry::key_values().
    virtual KeyValues* key_values() { return nullptr; }
};

} // namespace flotilla
