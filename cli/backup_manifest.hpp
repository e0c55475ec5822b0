#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <flotilla/base/json.hpp>
#include <flotilla/base/result.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla::cli {

/// A database in a backup.
struct BackedUpDatabase {
    std::string member;
    std::string file;                        ///< in the backup, and below a data folder
    std::optional<std::string> restore_path; ///< where it belongs when that is no data folder
    std::uint64_t bytes = 0;
    std::string sha256;
};

/// manifest.json of a backup: written last, so a folder without it is none.
struct BackupManifest {
    static constexpr int kFormat = 1;
    static constexpr const char* kFile = "manifest.json";
    static constexpr const char* kFleetFile = "flotilla.yaml"; ///< the fleet file of that time, in the backup

    int format = kFormat;
    std::string fleet;
    Timestamp created_at;
    std::string data;       ///< the folder it is of
    std::string fleet_file; ///< likewise, absolute
    std::vector<BackedUpDatabase> databases;
};

/// Errors: not_found when the folder is no backup; invalid when it is one of another format, or damaged.
Result<BackupManifest> read_manifest(const std::filesystem::path& folder);

} // namespace flotilla::cli
