#include "cli/command_hint.hpp"

#include <filesystem>

#include "cli/fleet_state.hpp"
#include "cli/shell_words.hpp"

namespace flotilla::cli {

std::string command_hint(const FleetOptions& options, std::string_view verb) {
    std::string command = "./flotilla " + std::string(verb);
    if (options.data_given) command += " --data " + shell_word(data_folder(options.data).root);
    if (!verb.starts_with("up")) return command; // the data folder says which fleet is meant
    if (options.file_given) command += " --file " + shell_word(std::filesystem::absolute(options.file).string());
    if (options.port_offset_given) command += " --port-offset " + std::to_string(options.port_offset);
    return command;
}

} // namespace flotilla::cli
