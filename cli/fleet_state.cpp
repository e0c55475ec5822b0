#include "cli/fleet_state.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <flotilla/base/json.hpp>
#include <flotilla/node/text_file.hpp>

namespace flotilla::cli {

DataFolder data_folder(const std::string& path) {
    if (path.empty()) throw std::invalid_argument("the data folder's name is empty; give one, as in --data .flotilla");
    // The state file is JSON, and a name that is none could not be told to anybody.
    if (const auto kept = json::parse<std::string>(json::write(path)); !kept || *kept != path)
        throw std::invalid_argument("the data folder's name is not UTF-8: choose another one");
    DataFolder folder{std::filesystem::absolute(path).lexically_normal().string()};
    if (folder.root.ends_with('/')) folder.root.pop_back();
    return folder;
}

void create_folders(const DataFolder& folder) {
    for (const char* part : {"/logs", "/run", "/data"}) {
        std::error_code failed;
        std::filesystem::create_directories(folder.root + part, failed);
        if (failed) throw std::runtime_error("cannot make the folder " + folder.root + part + ": " + failed.message());
    }
}

Result<std::optional<FleetState>> read_state(const DataFolder& folder) {
    errno = 0;
    std::ifstream file(folder.state_file());
    if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::optional<FleetState>();
    if (!file) return Error(Kind::unavailable, "cannot read " + folder.state_file() + ": " + std::strerror(errno));
    std::ostringstream text;
    text << file.rdbuf();
    auto state = json::parse<FleetState>(text.str());
    if (state) return std::optional(std::move(*state));
    return Error(Kind::invalid, folder.state_file() + " is damaged (" + state.error().message() +
                                    "). When no process of that fleet runs any more, remove it and start again: the "
                                    "data is elsewhere and stays.");
}

Result<void> write_state(const DataFolder& folder, const FleetState& state) {
    return replace_text_file(folder.state_file(), json::write(state) + '\n');
}

void remove_state(const DataFolder& folder) { std::filesystem::remove(folder.state_file()); }

void remove_faults(const DataFolder& folder) {
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(folder.root + "/run", unreadable)) {
        std::error_code gone;
        if (entry.path().extension() == ".faults") std::filesystem::remove(entry.path(), gone);
    }
}

} // namespace flotilla::cli
