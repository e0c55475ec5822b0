#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/inbox.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/service/asyncapi.hpp>
#include <flotilla/store/jobs.hpp>
#include <flotilla/store/projection.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla {

class HealthChecks;
class Scope;

/// What a service asks of its database's work.
struct DatabaseDuties {
    struct Subscription {
        TopicUse topic;
        EventHandler handler;
        /// Names this handler's marks, parked events and group on the bus; the same in every version of the service.
        std::string consumer;
    };
    /// A version of a projection, or a subscription of the events stored here.
    struct Follower {
        const EventFollower* follower;
        bool newest; ///< of the projection's versions
    };
    /// Work of a layer above: what does it is made anew for each tenure.
    struct Part {
        std::string name;  ///< for a log line: "the sagas"
        std::string check; ///< where /readyz shows its health; parts may share one. Empty: nowhere
        std::function<std::unique_ptr<RoleWork>(Tenure&)> begin;
    };
    std::vector<Subscription> subscriptions;
    JobRunner::Handlers jobs;
    std::vector<Follower> followers;
    std::vector<Part> parts;

    /// Adds a handler of a topic. The first one of a topic may go without a name: its consumer is the service itself.
    /// Further ones have one each: "order-service.stock". Throws std::logic_error when a name is missing or was used
    /// for that topic before.
    void subscribe(std::string_view service, TopicUse topic, EventHandler handler, std::string_view name = {});
    /// Adds the versions of a projection, the newest one last, or a subscription. Throws std::logic_error when they are
    /// not of one name, not in order, or the name was used before.
    void follow(std::span<const EventFollower* const> versions);
};

/// The work that belongs to a database and not to one of the hosts (loops, processes, machines) that have it open:
/// publishing what waits in the outbox, consuming, running jobs, keeping projections up, removing what is past its
/// time. The host that holds the database's role does it; the others wait behind it. See docs/adr/0010. Thread-safety:
/// none; lives on one loop.
class DatabaseWork {
public:
    struct Options {
        std::string service;  ///< the producer of its events
        std::string instance; ///< this host's name, for the others
        Duration lag_max = std::chrono::seconds(60);
        Role::Options role = {};
    };
    DatabaseWork(World& world, Database& database, Bus& bus, Telemetry& telemetry, Options options,
                 DatabaseDuties duties);
    DatabaseWork(const DatabaseWork&) = delete;
    DatabaseWork& operator=(const DatabaseWork&) = delete;
    ~DatabaseWork();

    /// Waits for the role and works while this host holds it, until the context is cancelled; then gives it up.
    /// An exception of a part leaves with the part's name before it.
    task<void> run(Context& context);
    /// What /readyz shows: "role", "bus", "outbox", and "inbox", "jobs", "projections" and "subscriptions" where the
    /// service has such.
    void add_checks(HealthChecks& checks);

    const Role& role() const { return role_; }

private:
    /// One piece of the work.
    struct Part : DatabaseDuties::Part {
        std::unique_ptr<RoleWork> running = {}; ///< null while another host holds the role
    };

    void add(DatabaseDuties::Part part) { parts_.push_back({std::move(part)}); }
    void add_relay();
    void add_jobs(JobRunner::Handlers handlers);
    void add_consumers(DatabaseDuties::Subscription subscription);
    void add_follower(DatabaseDuties::Follower follower);
    void add_pruning();
    task<void> work(Context& context, Tenure& tenure);
    task<void> run_part(Scope& scope, Part& part);
    Result<void> health(std::string_view check) const;

    World& world_;
    Bus& bus_;
    Telemetry& telemetry_;
    const Options options_;
    std::vector<Part> parts_;
    Role role_;
};

} // namespace flotilla
