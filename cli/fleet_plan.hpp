#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/child_process.hpp"
#include "cli/fleet_file.hpp"
#include "cli/fleet_state.hpp"

namespace flotilla::cli {

/// A process that should run: how, and where it answers.
struct PlannedMember {
    std::string name;
    int port = 0;                                              ///< HTTP, with offset; /readyz answers there
    std::vector<std::pair<std::string, int>> other_ports = {}; ///< what they are for, with offset
    std::string config_file = {};                              ///< read when it starts; empty: none
    Command command;
    bool without_socket = false; ///< its Unix socket's name would be too long: callers use TCP
    bool one_of_several = false; ///< others of its service serve while it is restarted

    std::vector<std::pair<std::string, int>> ports() const {
        std::vector<std::pair<std::string, int>> all{{"HTTP", port}};
        all.insert(all.end(), other_ports.begin(), other_ports.end());
        return all;
    }
    bool operator==(const PlannedMember& other) const {
        return name == other.name && port == other.port && command.binary == other.command.binary &&
               command.arguments == other.command.arguments && command.environment == other.command.environment;
    }
};

/// What to tell whoever starts these: their Unix sockets would have names that are too long. Empty: nothing.
std::string socket_note(const std::vector<PlannedMember>& members, const DataFolder& folder);

/// The processes of a fleet in the order in which they start: the hub, the services, the gateway.
/// Makes their folders. chaos: services and the gateway take faults from a file (DataFolder::fault_file). Errors:
/// invalid when a port leaves 1..65535; not_found when a binary has not been built; unavailable when a folder cannot be
/// made.
Result<std::vector<PlannedMember>> plan_fleet(const FleetFile& file, const DataFolder& folder, int port_offset,
                                              const std::string& binary_folder, bool chaos = false);

} // namespace flotilla::cli
