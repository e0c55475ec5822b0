#pragma once

#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/result.hpp>
#include <flotilla/base/time.hpp>

#include "cli/child_process.hpp"
#include "cli/fleet_file.hpp"

namespace flotilla::cli {

/// One process of a running fleet, as the state file keeps it.
struct MemberState {
    std::string name;
    ProcessIdentity process;
    int port = 0; ///< HTTP, with offset
    std::string log_file;
    std::string binary;
    std::int64_t binary_changed = 0;            ///< modification time of the binary when it was started, nanoseconds
    std::optional<std::int64_t> config_changed; ///< likewise of its configuration file
    int restarts = 0;
    std::optional<std::string> last_exit; ///< how the run before ended
    std::optional<Timestamp> started_at;
};

/// What is known about a running fleet: written by its supervisor at every change, read by status and down, and by the
/// next supervisor when this one was killed.
struct FleetState {
    std::string fleet;
    std::string file; ///< flotilla.yaml
    ProcessIdentity supervisor;
    int port_offset = 0;
    std::optional<bool> chaos; ///< its services take faults
    std::vector<MemberState> members;
    std::optional<int> reloads;              ///< how often the supervisor has taken a new plan, on request
    std::optional<std::string> reload_error; ///< why the last time failed
};

/// Where things lie below a data folder.
struct DataFolder {
    std::string root; ///< absolute

    std::string state_file() const { return root + "/fleet.json"; }
    std::string lock_file() const { return root + "/fleet.lock"; }
    std::string log_file(const std::string& member) const { return root + "/logs/" + member + ".log"; }
    std::string socket_file(const std::string& member) const { return root + "/run/" + member + ".sock"; }
    std::string fault_file(const std::string& member) const { return root + "/run/" + member + ".faults"; }
    std::string member_folder(const std::string& member) const { return root + "/data/" + member; }
};

/// The path may be relative. Throws std::invalid_argument when it is empty or not UTF-8.
DataFolder data_folder(const std::string& path);
/// Throws std::runtime_error that names the folder which cannot be made, and why.
void create_folders(const DataFolder& folder);

/// nullopt when no fleet has been started there. Errors: invalid when the file is damaged, with what to do; unavailable
/// when it cannot be read.
Result<std::optional<FleetState>> read_state(const DataFolder& folder);
/// Replaces the file atomically.
Result<void> write_state(const DataFolder& folder, const FleetState& state);
void remove_state(const DataFolder& folder);
/// Ends what ./flotilla chaos has put into the members of a fleet that runs no more.
void remove_faults(const DataFolder& folder);

} // namespace flotilla::cli
