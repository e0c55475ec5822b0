#pragma once

#include <string>
#include <vector>

namespace flotilla::cli {

/// Flags that say which fleet is meant.
struct FleetOptions {
    std::string data = ".flotilla";
    std::string file = "flotilla.yaml";
    int port_offset = 0;
    // By a flag: then the commands we suggest need it too, and the fleet that is there must agree.
    bool data_given = false, file_given = false, port_offset_given = false;
    std::string binary_folder; ///< where the programs of the fleet are
};

struct UpOptions {
    FleetOptions fleet;
    bool detach = false;
    bool chaos = false; ///< services take faults
};
struct LogsOptions {
    FleetOptions fleet;
    std::string service; ///< empty: all
    bool follow = false;
    int lines = 50; ///< per member
};

struct ChaosOptions {
    FleetOptions fleet;
    std::vector<std::string> words; ///< what to do, and to whom; none: show what has been done
};

struct SagasOptions {
    FleetOptions fleet;
    std::vector<std::string> words; ///< what to do, and to whom; none: list
    bool parked = false, stuck = false, json = false;
    std::string service, saga; ///< only of this one; empty: all
    std::string reason;        ///< for the history
    int limit = 100;           ///< of each service
};
struct SagaCheckOptions {
    FleetOptions fleet;
    std::vector<std::string> words; ///< "check" and the service
};

struct BackupOptions {
    FleetOptions fleet;
    std::string folder; ///< of the backup; made
};
struct RestoreOptions {
    FleetOptions fleet; ///< its data folder is made
    std::string folder; ///< of the backup
};

/// Each returns the exit code: 0 fine, 1 the fleet (or a part) is not as asked, 2 wrong use.
int up(const UpOptions& options);
int down(const FleetOptions& options);
int status(const FleetOptions& options, bool json);
int logs(const LogsOptions& options);
/// Breaks one instance of a running fleet, so that one can see who notices; and mends it again.
int chaos(const ChaosOptions& options);
/// Shows the sagas of a running fleet, and has them go on: retry, skip, abort.
int sagas(const SagasOptions& options);
/// Says which sagas that are under way a service as it is built could not finish. 0: none, 1: these, 2: nobody can
/// tell.
int saga_check(const SagaCheckOptions& options);
/// Copies a fleet's databases, its bus and its mails, as they are at one moment, while it runs or not.
int backup(const BackupOptions& options);
/// Puts a backup into a data folder that is missing or empty, after it has proved it.
int restore(const RestoreOptions& options);

} // namespace flotilla::cli
