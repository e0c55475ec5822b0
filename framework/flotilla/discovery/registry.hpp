#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/discovery/key_values.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla {

/// One running instance of a service.
struct Instance {
    std::string id;          ///< unique in the fleet, e.g. "order-service-3002"
    std::string service;     ///< "order-service"
    Address address;         ///< TCP
    std::string unix_socket; ///< path on `host`, or empty
    std::string host;        ///< machine it runs on, to know when unix_socket can be used
    std::string version;
    std::string incarnation = {};       ///< differs between two runs of one id; empty: the registry does not tell
    std::string zone = {};              ///< where it runs, e.g. "eu-west-1a"; empty: not known
    double weight = 1;                  ///< its share of the calls beside the others; above 0
    std::vector<std::string> tags = {}; ///< free words, e.g. "canary"
    std::string contract_url = {};      ///< where its OpenAPI document is; empty: nowhere
    bool operator==(const Instance&) const = default;

    /// The Unix socket when it is on this machine, otherwise TCP.
    Address best_address(std::string_view this_host) const;
};

/// The healthy instances of a service at one moment. Immutable and shared.
using Instances = std::shared_ptr<const std::vector<Instance>>;

/// Where services are found and announced (docs/guides/discovery.md). Everything answers from memory: lookups never
/// wait for the registry once an answer was seen, and the last known instances survive the registry's absence and (in
/// the cache file) a restart without it. A service is named as ServiceName::parse() reads it.
/// Thread-safety: none; one object per loop.
class Registry {
public:
    virtual ~Registry() = default;

    /// Announces an instance and keeps it announced (TTL heartbeats, again after the registry restarted) until
    /// withdraw() or the end of run(). Returns at once; health() tells how it goes.
    virtual void announce(Instance instance) = 0;
    /// Takes the announcement back: callers stop coming. Best effort within the context's deadline.
    virtual task<Result<void>> withdraw(Context& context) = 0;

    /// The last known instances; starts to watch the service. Never null; empty when none is known. Never waits.
    virtual Instances instances(std::string_view service) = 0;
    /// As instances(), but waits for the first answer of the registry when none is known yet.
    /// Errors: unavailable `no_instance` when there is none, the context's reason.
    virtual task<Result<Instances>> resolve(Context& context, std::string service) = 0;

    /// Heartbeats and watches live in here; until the context is cancelled.
    virtual task<void> run(Context& context) = 0;
    /// ok, or why the registry cannot be reached now (the last known instances are then in use). For /readyz.
    virtual Result<void> health() const = 0;

    /// The values that the registry keeps for configuration; null: it keeps none, or its driver does not read them.
    virtual KeyValues* key_values() { return nullptr; }
};

struct RegistryOptions {
    std::string url; ///< "consul://127.0.0.1:8500", or "static:" (then `fixed` counts); several, with ',' in between
    std::map<std::string, std::vector<Instance>, std::less<>> fixed; ///< for static
    std::string cache_file;                                          ///< last known instances; empty: memory only
    std::string host;                                                ///< this machine's name
    Duration ttl = std::chrono::seconds(5); ///< an announced instance without a heartbeat for so long is gone
    /// After an outage the registry may have forgotten what it knew: instances that it misses are kept so long.
    Duration settling = std::chrono::seconds(5);
};

/// `http` and `telemetry` must outlive it. Errors: invalid, what is wrong with which URL.
Result<std::unique_ptr<Registry>> open_registry(World& world, http::Client& http, Telemetry& telemetry,
                                                RegistryOptions options);

} // namespace flotilla
