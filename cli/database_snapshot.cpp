#include "cli/database_snapshot.hpp"

#include <memory>

#include <flotilla/store/sqlite/connection.hpp>
#include <flotilla/store/sqlite/online_copy.hpp>

namespace flotilla::cli {
namespace {

using sqlite::Connection;
using sqlite::Role;

constexpr Duration kLockPatience = std::chrono::seconds(10);

using Connections = std::vector<std::unique_ptr<Connection>>;

Result<std::unique_ptr<Connection>> open(const FleetDatabase& database, Role role) {
    return Connection::open(database.path, {.role = role, .busy_timeout = kLockPatience});
}

/// From now on the connection sees the database as it is now.
Result<void> take_snapshot(Connection& connection) {
    return connection.script("BEGIN; SELECT count(*) FROM sqlite_schema");
}

/// One snapshot of each, all of one moment: while all locks are held nothing can be committed anywhere.
Result<Connections> snapshots_of(const std::vector<FleetDatabase>& databases) {
    Connections locks;
    Connections snapshots;
    for (const auto& database : databases) {
        auto snapshot = open(database, Role::reader);
        if (!snapshot) return std::move(snapshot.error());
        snapshots.push_back(std::move(*snapshot));
        auto lock = open(database, Role::observer);
        if (!lock) return std::move(lock.error());
        locks.push_back(std::move(*lock));
    }
    for (std::size_t i = 0; i < locks.size(); ++i) {
        if (auto locked = locks[i]->begin(); !locked)
            return std::move(locked.error()).with_context("cannot hold " + databases[i].path);
    }
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
        if (auto taken = take_snapshot(*snapshots[i]); !taken)
            return std::move(taken.error()).with_context("cannot read " + databases[i].path);
    }
    return snapshots; // the locks go with their connections
}

Result<void> copy(Connection& snapshot, const std::filesystem::path& target) {
    std::error_code failed;
    std::filesystem::create_directories(target.parent_path(), failed);
    if (failed) {
        return Error(Kind::unavailable,
                     "cannot make the folder " + target.parent_path().string() + ": " + failed.message());
    }
    auto begun = sqlite::OnlineCopy::begin(snapshot, target.string());
    if (!begun) return std::move(begun.error());
    auto copied = (*begun)->step(-1);
    if (!copied) return std::move(copied.error());
    if (!*copied) return Error(Kind::unavailable, "cannot copy " + snapshot.file() + ": it is locked");
    return {};
}

} // namespace

Result<void> copy_at_one_moment(const std::vector<FleetDatabase>& databases, const std::filesystem::path& folder) {
    auto snapshots = snapshots_of(databases);
    if (!snapshots) return std::move(snapshots.error());
    for (std::size_t i = 0; i < databases.size(); ++i) {
        if (auto copied = copy(*(*snapshots)[i], folder / databases[i].name); !copied) return copied;
        (*snapshots)[i].reset(); // its database's log can start over
    }
    return {};
}

namespace {

/// The first thing that is wrong, or "ok".
Result<std::string> check_integrity(const std::filesystem::path& file) {
    // As a writer, since only that one takes its -wal and -shm away again; there is nothing to write.
    auto connection = Connection::open(file.string(), {.role = Role::writer});
    if (!connection) return std::move(connection.error());
    std::string found;
    auto done =
        (*connection)
            ->run("SELECT integrity_check FROM pragma_integrity_check(1)", {}, [&](const SqlRow& row) -> Result<void> {
                found = row.text(0);
                return {};
            });
    if (!done) return std::move(done.error());
    return found;
}

} // namespace

Result<void> check_copy(const std::filesystem::path& file) {
    auto found = check_integrity(file);
    if (!found && found.error().code() != sqlite::FileDamage::kCode) return std::move(found.error());
    if (found && *found == "ok") return {};
    return Error(Kind::invalid,
                 file.filename().string() + " is damaged" + (found ? ": integrity_check finds " + *found : ""));
}

} // namespace flotilla::cli
