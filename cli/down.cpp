#include <signal.h>

#include <algorithm>
#include <cstdio>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/loop.hpp>

#include "cli/command_hint.hpp"
#include "cli/commands.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_databases.hpp"
#include "cli/fleet_state.hpp"

namespace flotilla::cli {
namespace {

using namespace std::chrono_literals;

task<Result<void>> wait_gone(Context& context, std::vector<ProcessIdentity> processes) {
    for (const auto& process : processes) {
        while (is_alive(process))
            co_await must(sleep_for(context, 10ms));
    }
    co_return Result<void>();
}

/// Sends the signal to all and waits; false when one is still there.
bool end_all(const std::vector<ProcessIdentity>& processes, int signal, Duration patience) {
    for (const auto& process : processes) {
        send_signal(process, signal);
        send_signal(process, SIGCONT); // one that is stopped hears nothing else
    }
    Loop loop;
    Context root(loop.world());
    Context bounded(root, patience);
    return loop.run_until_done(wait_gone(bounded, processes)).has_value();
}

} // namespace

int down(const FleetOptions& options) {
    const auto folder = data_folder(options.data);
    auto state = find_fleet(options, folder);
    if (!state) {
        std::fprintf(stderr, "%s\n", state.error().message().c_str());
        return 1;
    }
    if (!*state) {
        std::printf("No fleet runs on %s.\n", folder.root.c_str());
        return 0;
    }
    const auto& fleet = **state;
    std::vector<ProcessIdentity> members;
    for (std::size_t i = fleet.members.size(); i-- > 0;)
        members.push_back(fleet.members[i].process);
    if (!may_signal(fleet.supervisor) || !std::ranges::all_of(members, may_signal)) {
        std::fprintf(stderr, "The fleet on %s belongs to another user; only that user or root can stop it.\n",
                     folder.root.c_str());
        return 1;
    }
    std::printf("Stopping the fleet on %s ...\n", folder.root.c_str());
    std::fflush(stdout);
    // The supervisor stops its members in order; whatever is left (it was killed, say) is stopped here.
    if (is_alive(fleet.supervisor)) end_all({fleet.supervisor}, SIGTERM, 40s);
    bool gone = end_all(members, SIGTERM, 15s);
    if (!gone) gone = end_all(members, SIGKILL, 5s);
    if (!gone) {
        std::fprintf(stderr, "Some processes of the fleet do not end; `%s` shows them.\n",
                     command_hint(options, "status").c_str());
        return 1;
    }
    remove_faults(folder);
    remove_state(folder);
    std::printf("The fleet on %s is down. Its data stays.\n", folder.root.c_str());
    for (const auto& database : unfinished_databases(folder)) {
        std::printf("%s was not closed: some of it lies in its -wal still, which belongs to it. %s copies both.\n",
                    database.c_str(), command_hint(options, "backup DIR").c_str());
    }
    return 0;
}

} // namespace flotilla::cli
