#pragma once

#include <functional>
#include <string>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/observe/log.hpp>

#include "cli/fleet_plan.hpp"
#include "cli/fleet_state.hpp"

namespace flotilla::cli {

/// Keeps the processes of a fleet running: starts them in order, restarts what dies with a growing pause, restarts what
/// was rebuilt or has a changed configuration file, stops all. Takes over the living processes of a supervisor that was
/// killed, as far as they run what is planned now. Thread-safety: none; lives on one loop.
class Supervisor {
public:
    Supervisor(World& world, DataFolder folder, FleetState state, Logger log);

    /// Starts (or adopts) what is planned and waits until every member answers /readyz with 200.
    /// Errors: unavailable naming the first member that did not become ready, with its last log lines; what runs by
    /// then goes on: stop() or give_up().
    task<Result<void>> start(Context& context, std::vector<PlannedMember> plan);
    /// Watches until the context is cancelled.
    task<void> watch(Context& context);
    /// Takes a new plan while watching: stops what is gone, restarts what changed, was rebuilt or has a changed
    /// configuration file, starts what is new, and waits until all those are ready.
    /// Errors: unavailable naming the first member that did not become ready, with its last log lines.
    task<Result<void>> apply(Context& context, std::vector<PlannedMember> plan);
    /// Notes how taking the new plan went, for whoever asked for it.
    void note_reload(const Result<void>& outcome);
    /// After a start() that failed: stops what this supervisor has launched itself, as stop() does. What it has taken
    /// over lives on and stays recorded for the next one; true when there is any, else the fleet is forgotten.
    task<bool> give_up(Context& context);
    /// Stops everything, gateway first, hub last; whoever does not end in time is killed. Forgets the fleet.
    task<void> stop(Context& context);

    const FleetState& state() const { return state_; }

private:
    struct Member {
        PlannedMember plan;
        MemberState state;
        Instant started{};
        Instant restart_at = Instant::max(); ///< while it is down
        Duration pause{};                    ///< before the next restart
        std::string exit = {};               ///< how its process ended, once it has
        bool held = false;                   ///< being stopped on purpose
        bool taken_over = false;             ///< runs since an earlier supervisor
    };

    task<Result<void>> take_over(Context& context, const std::vector<PlannedMember>& plan);
    Result<void> check_ports() const;
    Result<void> launch(Member& member);
    task<void> stop_in_order(Context& context, std::vector<Member*> ending);
    task<Result<void>> stop_member(Context& context, Member& member);
    task<Result<void>> wait_ready(Context& context, std::vector<std::string> names);
    Error not_ready(const Member& member, const std::string& why) const;
    void reap();
    void look_after(Member& member);
    Member* find(std::string_view name);
    Result<void> record();
    void save();

    World& world_;
    DataFolder folder_;
    FleetState state_;
    Logger log_;
    http::Client http_;
    std::vector<Member> members_;
};

/// One GET /readyz on loopback: ok when 200. Errors: unavailable with what was answered.
task<Result<void>> check_ready(Context& context, http::Client& http, int port);

} // namespace flotilla::cli
