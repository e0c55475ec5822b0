#pragma once

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/discovery/event_list.hpp>
#include <flotilla/discovery/outage.hpp>
#include <flotilla/discovery/registry_driver.hpp>

namespace flotilla {

/// The instances that a process announces: enrolled, kept known by heartbeats every ttl/3 (±10 %), enrolled again by a
/// registry that has forgotten them, deregistered. Thread-safety: none.
class Announcements {
public:
    Announcements(World& world, Telemetry& telemetry, InstanceAnnouncer& announcer, std::string registry, Duration ttl);

    void add(Instance instance);
    /// Deregisters all, for good. Errors: the registry's; the context's reason.
    task<Result<void>> withdraw(Context& context);
    /// Heartbeats run in the scope from now on; stop() takes it back.
    void start(Scope& scope);
    void stop() { scope_ = nullptr; }
    /// Why one of them is not known to the registry; null: all are.
    const Error* error() const;

private:
    struct Announcement {
        Instance instance;
        bool withdrawn = false;
        bool enrolled = false;
        bool beating = false; ///< its heartbeat loop runs
        bool failing = false;
        Event stop; ///< wakes the loop from its pause
        EventList stopped;
        std::optional<Error> error = Error(Kind::unavailable, "the registry has not answered yet");
    };

    task<void> beat(Context& context, Announcement& announcement);
    task<Result<void>> beat_once(Context& context, Announcement& announcement);
    task<Result<void>> deregister(Context& context, Announcement& announcement);

    World& world_;
    Telemetry& telemetry_;
    InstanceAnnouncer& announcer_;
    std::string registry_;
    Duration ttl_;
    Outage outage_;
    std::vector<std::unique_ptr<Announcement>> all_;
    Scope* scope_ = nullptr; ///< while they run
};

} // namespace flotilla
