#include "cli/fleet_state.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <flotilla/base/json.hpp>

namespace flotilla::cli {

DataFolder data_folder(const std::string& path) {
    DataFolder folder{std::filesystem::absolute(path).lexically_normal().string()};
    if (folder.root.ends_with('/')) folder.root.pop_back();
    return folder;
}

void create_folders(const DataFolder& folder) {
    for (const char* part : {"/logs", "/run", "/data"})
        std::filesystem::create_directories(folder.root + part);
}

Result<std::optional<FleetState>> read_state(const DataFolder& folder) {
    std::ifstream file(folder.state_file());
    if (!file) return std::optional<FleetState>();
    std::ostringstream text;
    text << file.rdbuf();
    auto state = json::parse<FleetState>(text.str());
    if (state) return std::optional(std::move(*state));
    return Error(Kind::invalid, folder.state_file() + " is damaged (" + state.error().message() +
                                    "). When no process of that fleet runs any more, remove it and start again: the "
                                    "data is elsewhere and stays.");
}

Result<void> write_state(const DataFolder& folder, const FleetState& state) {
    const auto fresh = folder.state_file() + "." + std::to_string(getpid());
    std::ofstream file(fresh);
    file << json::write(state) << '\n';
    file.close();
    if (!file || std::rename(fresh.c_str(), folder.state_file().c_str()) != 0) {
        return Error(Kind::unavailable, "cannot write " + folder.state_file());
    }
    return {};
}

void remove_state(const DataFolder& folder) { std::filesystem::remove(folder.state_file()); }

} // namespace flotilla::cli
