#pragma once

#include <string>
#include <vector>

#include <flotilla/base/result.hpp>

#include "cli/fleet_file.hpp"
#include "cli/fleet_state.hpp"

namespace flotilla::cli {

/// A database of a fleet: a SQLite file.
struct FleetDatabase {
    std::string member;
    std::string path;     ///< absolute
    std::string name;     ///< within a backup and below a data folder: "data/user-service/user-service.db"
    bool outside = false; ///< of the data folder, by the service's `database`: goes back to `path`, nowhere else
};

/// The hub's, and those of the services, whether they exist or not; those in memory are left out. The first one is the
/// bus's. Errors: invalid: a database's URL is none that can be backed up.
Result<std::vector<FleetDatabase>> fleet_databases(const FleetFile& file, const DataFolder& folder);

/// Files below a stopped fleet's data folder whose last writer could not empty their WAL into them: it was killed, or
/// the disk was full. Nothing is lost, but a copy of the file alone is not the database.
std::vector<std::string> unfinished_databases(const DataFolder& folder);

} // namespace flotilla::cli
