#include <cstdio>
#include <filesystem>

#include <flotilla/aio/loop.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/node/text_file.hpp>

#include "cli/backup_manifest.hpp"
#include "cli/bus_save.hpp"
#include "cli/commands.hpp"
#include "cli/database_snapshot.hpp"
#include "cli/durable_files.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_databases.hpp"
#include "cli/fleet_lock.hpp"
#include "cli/fleet_state.hpp"
#include "cli/shell_words.hpp"

namespace flotilla::cli {
namespace {

namespace fs = std::filesystem;

constexpr Duration kBusPatience = std::chrono::minutes(10);

/// The bus first: what is older than a consumer's mark is published again from the producers' outboxes, and dropped by
/// the mark; entries that a consumer's copy did not know yet, but the bus had delivered, would wait for the next event.
Result<void> copy_bus(const FleetDatabase& bus, bool hub_runs, const fs::path& draft) {
    if (!hub_runs) return copy_at_one_moment({bus}, draft);
    Loop loop;
    Context root(loop.world());
    Context bounded(root, kBusPatience);
    auto saved = loop.run_until_done(save_bus(bounded, fs::path(bus.path).parent_path().string()));
    if (!saved) return saved;
    const fs::path copy = bus.path + ".save";
    std::error_code failed;
    fs::create_directories((draft / bus.name).parent_path(), failed); // a failure is copy_durably's, too
    if (auto copied = copy_durably(copy, draft / bus.name); !copied) return copied;
    fs::remove(copy, failed);
    if (failed) return Error(Kind::unavailable, "cannot remove " + copy.string() + ": " + failed.message());
    return {};
}

Result<BackedUpDatabase> describe(const FleetDatabase& database, const fs::path& draft) {
    if (auto checked = check_copy(draft / database.name); !checked)
        return std::move(checked.error()).with_context("the copy of " + database.path);
    auto digest = digest_of(draft / database.name);
    if (!digest) return std::move(digest.error());
    return BackedUpDatabase{.member = database.member,
                            .file = database.name,
                            .restore_path = database.outside ? std::optional(database.path) : std::nullopt,
                            .bytes = digest->bytes,
                            .sha256 = std::move(digest->sha256)};
}

/// What is to be backed up, from the fleet file that the running fleet was started with.
struct Source {
    FleetFile file;
    std::string text; ///< of the file
    std::vector<FleetDatabase> databases;
    bool hub_runs = false;
};

Result<Source> find_source(const FleetOptions& options, const DataFolder& folder) {
    auto state = find_fleet(options, folder);
    if (!state) return std::move(state.error());
    Source source;
    auto file = read_fleet_file(*state ? (*state)->file : options.file);
    if (!file) return std::move(file.error());
    auto text = read_text_file(file->path);
    if (!text) return std::move(text.error());
    auto databases = fleet_databases(*file, folder);
    if (!databases) return std::move(databases.error());
    for (const auto& each : *databases) {
        if (each.outside && !fs::exists(each.path)) {
            return Error(Kind::not_found, "the database of " + each.member + ", " + each.path +
                                              ", is not there; a relative one is looked for from where this is called");
        }
    }
    // A service that keeps nothing has none.
    std::erase_if(*databases, [](const FleetDatabase& each) { return !fs::exists(each.path); });
    if (databases->empty() || databases->front().name != "data/hub/bus.db") {
        return Error(Kind::not_found, "there is no fleet's data in " + folder.root +
                                          "; --data names the folder of the fleet to back up");
    }
    if (*state) {
        for (const auto& member : (*state)->members)
            source.hub_runs = source.hub_runs || (member.name == "hub" && is_alive(member.process));
    }
    source.file = std::move(*file);
    source.text = std::move(*text);
    source.databases = std::move(*databases);
    return source;
}

Result<BackupManifest> back_up(const FleetOptions& options, const DataFolder& folder, const fs::path& target) {
    auto source = find_source(options, folder);
    if (!source) return std::move(source.error());
    auto draft = DraftFolder::create(target);
    if (!draft) return std::move(draft.error()).with_context("a backup gets a folder of its own");
    // Nobody starts the fleet meanwhile; a supervisor that has the lock may go on.
    FleetLock lock(folder);
    if (auto taken = lock.take(); !taken && taken.error().kind() != Kind::conflict) return std::move(taken.error());
    const auto& databases = source->databases;
    if (auto copied = copy_bus(databases.front(), source->hub_runs, draft->path()); !copied)
        return std::move(copied.error());
    if (auto copied = copy_at_one_moment({databases.begin() + 1, databases.end()}, draft->path()); !copied)
        return std::move(copied.error());
    BackupManifest manifest{.fleet = source->file.name,
                            .created_at = Loop().world().now(),
                            .data = folder.root,
                            .fleet_file = source->file.path};
    for (const auto& database : databases) {
        auto described = describe(database, draft->path());
        if (!described) return std::move(described.error());
        manifest.databases.push_back(std::move(*described));
    }
    auto written = write_durably(draft->path() / BackupManifest::kFleetFile, source->text);
    if (written) written = write_durably(draft->path() / BackupManifest::kFile, json::write(manifest) + "\n");
    if (written) written = draft->complete();
    if (!written) return std::move(written.error());
    return manifest;
}

} // namespace

int backup(const BackupOptions& options) {
    const auto folder = data_folder(options.fleet.data);
    const auto target = data_folder(options.folder).root;
    auto done = back_up(options.fleet, folder, target);
    if (!done) {
        std::fprintf(stderr, "There is no backup: %s\n", done.error().message().c_str());
        return 1;
    }
    std::uint64_t bytes = 0;
    for (const auto& database : done->databases)
        bytes += database.bytes;
    std::printf("Backed up %zu databases (%.1f MB) of %s to %s\n", done->databases.size(),
                static_cast<double>(bytes) / 1e6, folder.root.c_str(), target.c_str());
    std::printf("To put it into a new folder: ./flotilla restore %s --data FOLDER\n", shell_word(target).c_str());
    return 0;
}

} // namespace flotilla::cli
