#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/backup_manifest.hpp"
#include "cli/command_hint.hpp"
#include "cli/commands.hpp"
#include "cli/database_snapshot.hpp"
#include "cli/durable_files.hpp"
#include "cli/fleet_state.hpp"

namespace flotilla::cli {
namespace {

namespace fs = std::filesystem;

/// Tells the hub that the instances it remembers are of another time.
constexpr const char* kRestoredMark = "data/hub/restored";

Result<void> refuse_running(const FleetOptions& options, const DataFolder& folder) {
    auto state = read_state(folder);
    if (!state) return std::move(state.error());
    if (!*state) return {};
    const bool runs = is_alive((*state)->supervisor) || std::ranges::any_of((*state)->members, [](const auto& member) {
                          return is_alive(member.process);
                      });
    if (!runs) return {};
    return Error(Kind::conflict,
                 "a fleet runs on " + folder.root + "; stop it first: " + command_hint(options, "down"));
}

/// Copies and proves one database: as large as it was, the same bytes, and whole.
Result<void> put_back(const BackedUpDatabase& database, const fs::path& backup, const fs::path& target) {
    std::error_code failed;
    fs::create_directories(target.parent_path(), failed);
    if (failed) {
        return Error(Kind::unavailable,
                     "cannot make the folder " + target.parent_path().string() + ": " + failed.message());
    }
    if (auto copied = copy_durably(backup / database.file, target); !copied) return copied;
    auto digest = digest_of(target);
    if (!digest) return std::move(digest.error());
    if (*digest != FileDigest{database.bytes, database.sha256}) {
        return Error(Kind::invalid, (backup / database.file).string() +
                                        " is not as it was backed up: the manifest has another size or checksum");
    }
    return check_copy(target);
}

/// Databases that a service keeps elsewhere (its `database`): each beside its place, then all into their places.
class OutsideDatabases {
public:
    ~OutsideDatabases() {
        std::error_code ignored; // drafts of a restore that failed
        for (const auto& path : paths_)
            fs::remove(draft_of(path), ignored);
    }
    Result<void> put_back_beside(const BackedUpDatabase& database, const fs::path& backup) {
        const fs::path target = *database.restore_path;
        for (const char* suffix : {"", "-wal", "-shm"}) {
            if (fs::exists(target.string() + suffix)) {
                return Error(Kind::conflict, "the database of " + database.member + " belongs to " + target.string() +
                                                 ", outside the data folder, where there is one: move it away, or "
                                                 "its `database` in the fleet file elsewhere");
            }
        }
        paths_.push_back(target);
        return cli::put_back(database, backup, draft_of(target));
    }
    Result<void> complete() {
        for (auto& path : std::exchange(paths_, {})) {
            std::error_code failed;
            fs::rename(draft_of(path), path, failed);
            if (failed) return Error(Kind::unavailable, "cannot write " + path.string() + ": " + failed.message());
            if (auto synced = sync_path(path.parent_path()); !synced) return synced;
        }
        return {};
    }

private:
    static fs::path draft_of(const fs::path& path) { return path.string() + ".restoring"; }
    std::vector<fs::path> paths_;
};

Result<BackupManifest> put_all_back(const fs::path& backup, const FleetOptions& options) {
    const auto folder = data_folder(options.data);
    auto manifest = read_manifest(backup);
    if (!manifest) return manifest;
    if (auto stopped = refuse_running(options, folder); !stopped) return std::move(stopped.error());
    auto draft = DraftFolder::create(folder.root);
    if (!draft) {
        return std::move(draft.error())
            .with_context("a backup is restored into a new folder: name one with --data, or move the old one away");
    }
    OutsideDatabases outside;
    for (const auto& database : manifest->databases) {
        auto done = database.restore_path ? outside.put_back_beside(database, backup)
                                          : put_back(database, backup, draft->path() / database.file);
        if (!done) return std::move(done.error());
    }
    auto done = write_durably(draft->path() / kRestoredMark, "");
    if (done) done = outside.complete();
    if (done) done = draft->complete();
    if (!done) return std::move(done.error());
    return manifest;
}

} // namespace

int restore(const RestoreOptions& options) {
    const auto folder = data_folder(options.fleet.data);
    const auto backup = data_folder(options.folder).root;
    auto done = put_all_back(backup, options.fleet);
    if (!done) {
        std::fprintf(stderr, "Nothing was restored: %s\n", done.error().message().c_str());
        return 1;
    }
    std::printf("Restored %zu databases of %s into %s\n", done->databases.size(), done->created_at.to_string().c_str(),
                folder.root.c_str());
    std::printf("The fleet file of that time is %s\n", (backup + "/" + BackupManifest::kFleetFile).c_str());
    std::printf("Start it: %s\n", command_hint(options.fleet, "up").c_str());
    return 0;
}

} // namespace flotilla::cli
