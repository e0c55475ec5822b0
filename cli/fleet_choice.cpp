#include "cli/fleet_choice.hpp"

#include <filesystem>

#include "cli/command_hint.hpp"

namespace flotilla::cli {
namespace {

bool same_file(const std::string& a, const std::string& b) {
    const auto plain = [](const std::string& path) {
        std::error_code unreadable; // a folder on the way: then its name must do
        const auto absolute = std::filesystem::absolute(path, unreadable);
        const auto canonical = std::filesystem::weakly_canonical(absolute, unreadable);
        return unreadable ? absolute : canonical;
    };
    return plain(a) == plain(b);
}

} // namespace

Result<void> check_choice(const FleetOptions& options, const DataFolder& folder, const FleetState& state) {
    if (options.port_offset_given && options.port_offset != state.port_offset) {
        return Error(Kind::conflict, "The fleet on " + folder.root + " was started with --port-offset " +
                                         std::to_string(state.port_offset) + ", not " +
                                         std::to_string(options.port_offset));
    }
    if (options.file_given && !same_file(options.file, state.file)) {
        return Error(Kind::conflict, "The fleet on " + folder.root + " was started from " + state.file + ", not from " +
                                         std::filesystem::absolute(options.file).string());
    }
    return {};
}

Result<std::optional<FleetState>> find_fleet(const FleetOptions& options, const DataFolder& folder) {
    auto state = read_state(folder);
    if (!state || !*state) return state;
    if (auto same = check_choice(options, folder, **state); !same) {
        return Error(Kind::conflict, same.error().message() +
                                         "; leave that flag out, or name the folder of another fleet with --data.");
    }
    return state;
}

Result<FleetState> find_running_fleet(const FleetOptions& options) {
    const auto folder = data_folder(options.data);
    auto state = find_fleet(options, folder);
    if (!state) return std::move(state.error());
    if (!*state || !is_alive((*state)->supervisor)) {
        return Error(Kind::not_found, "no_fleet",
                     "No fleet runs on " + folder.root + ". Start one with " + command_hint(options, "up --detach"));
    }
    return std::move(**state);
}

Result<std::uint16_t> port_of(const FleetState& state, const std::string& member) {
    for (const auto& each : state.members) {
        if (each.name == member || each.name == member + ".1") return static_cast<std::uint16_t>(each.port);
    }
    return Error(Kind::not_found, "no_member", "The fleet of " + state.file + " has no " + member);
}

FleetOptions as_started(FleetOptions options, const FleetState& state) {
    options.port_offset_given = state.port_offset != options.port_offset || options.port_offset_given;
    options.port_offset = state.port_offset;
    if (!same_file(options.file, state.file)) {
        options.file = state.file;
        options.file_given = true;
    }
    return options;
}

} // namespace flotilla::cli
