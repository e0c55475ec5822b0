#pragma once

#include <flotilla/discovery/cache_file.hpp>
#include <flotilla/discovery/event_list.hpp>
#include <flotilla/discovery/outage.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/discovery/service_name.hpp>

namespace flotilla {

/// A service whose instances somebody wants to know, and what is known of them. Drivers tell it what the registry
/// answers. Thread-safety: none; not movable.
class WatchedService {
public:
    /// What the services of one registry share; it must outlive them.
    struct Shared {
        World& world;
        Metrics& metrics;
        CacheFile& cache;
        Outage& outage;
        Duration settling; ///< RegistryOptions::settling
    };

    /// asked_as: how callers write it, and what it is called in the cache.
    WatchedService(Shared shared, std::string asked_as, ServiceName name);
    WatchedService(const WatchedService&) = delete;
    WatchedService& operator=(const WatchedService&) = delete;
    ~WatchedService() = default;

    const ServiceName& name() const { return name_; }
    /// The last known ones. Never null.
    const Instances& instances() const { return instances_; }
    /// Whether the registry has answered in this process's life.
    bool answered() const { return answered_; }
    bool failing() const { return failing_; }
    /// Why the registry does not answer.
    const std::optional<Error>& error() const { return error_; }
    /// Waits for the next change, or for the first answer.
    task<Result<void>> changed(Context& context) { return changed_.wait(context); }

    /// The registry's whole answer, in any order. Returns whether it was news.
    bool take(std::vector<Instance> found);
    /// The registry may have forgotten what it knew: instances that the next answers miss stay for the time of
    /// Shared::settling, in which those that live announce themselves again.
    void doubt() { doubted_ = true; }
    /// The registry did not answer. What is known stays.
    void fail(Error why);
    /// It is never asked for: its name is none.
    void refuse(Error why) { error_ = std::move(why); }
    bool refused() const { return name_.host.empty(); }

private:
    static void on_settled(void* self);
    bool replace(std::vector<Instance> list);
    void tell();

    Shared shared_;
    std::string asked_as_;
    ServiceName name_;
    Instances instances_;
    bool answered_ = false;
    bool failing_ = false;
    bool doubted_ = false;
    std::optional<Error> error_ = Error(Kind::unavailable, "the registry has not answered yet");
    EventList changed_;
    Timer settled_;
    std::vector<Instance> settling_to_; ///< the registry's last answer, while settled_ is armed
    Gauge& count_;
    Counter& changes_;
};

/// Adds to `into` the instances of `from` that are not there already, by id and by address. Both are then by id.
void add_missing(std::vector<Instance>& into, const std::vector<Instance>& from);

} // namespace flotilla
