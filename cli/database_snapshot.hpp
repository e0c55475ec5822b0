#pragma once

#include <filesystem>
#include <vector>

#include <flotilla/base/result.hpp>

#include "cli/fleet_databases.hpp"

namespace flotilla::cli {

/// Copies databases as they were at one moment, while their services use them. For that moment, a few milliseconds,
/// nobody can commit: the write lock of each is taken, one after the other, then a snapshot of each, then they go on.
/// So what refers to something in another database finds it in the copies: an event that was handled is one that was
/// published, a job that is done has left its mail. The copies stand alone and go below `folder` by their names.
/// Errors: unavailable (a database is in use by somebody who does not share it, or stays locked; the disk),
/// database_damaged.
Result<void> copy_at_one_moment(const std::vector<FleetDatabase>& databases, const std::filesystem::path& folder);

/// Looks through all of a copy, indexes included (PRAGMA integrity_check). Leaves it as it is.
/// Errors: invalid, with what was found; unavailable.
Result<void> check_copy(const std::filesystem::path& file);

} // namespace flotilla::cli
