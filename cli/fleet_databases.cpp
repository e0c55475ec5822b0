#include "cli/fleet_databases.hpp"

#include <filesystem>

#include <flotilla/store/sqlite/shared_file.hpp>

namespace flotilla::cli {
namespace {

namespace fs = std::filesystem;

FleetDatabase inside(const DataFolder& folder, const std::string& member, const std::string& file) {
    return {.member = member, .path = folder.member_folder(member) + "/" + file, .name = "data/" + member + "/" + file};
}

} // namespace

Result<std::vector<FleetDatabase>> fleet_databases(const FleetFile& file, const DataFolder& folder) {
    std::vector<FleetDatabase> databases{inside(folder, "hub", "bus.db"), inside(folder, "hub", "registry.db"),
                                         inside(folder, "hub", "mail.db")};
    for (const auto& service : file.services) {
        if (service.database.empty()) {
            databases.push_back(inside(folder, service.name, service.name + ".db"));
            continue;
        }
        auto location = sqlite::Location::parse(service.database);
        if (!location) return std::move(location.error()).with_context(service.name);
        if (location->in_memory) continue;
        const auto path = fs::absolute(location->path).lexically_normal();
        databases.push_back({.member = service.name,
                             .path = path.string(),
                             .name = "data/" + service.name + "/" + path.filename().string(),
                             .outside = true});
    }
    return databases;
}

std::vector<std::string> unfinished_databases(const DataFolder& folder) {
    constexpr std::string_view kLog = "-wal";
    std::vector<std::string> databases;
    std::error_code unreadable;
    for (const auto& entry : fs::recursive_directory_iterator(folder.root + "/data", unreadable)) {
        std::error_code gone;
        auto path = entry.path().string();
        if (!path.ends_with(".db-wal") || entry.file_size(gone) == 0 || gone) continue;
        path.resize(path.size() - kLog.size());
        databases.push_back(std::move(path));
    }
    return databases;
}

} // namespace flotilla::cli
