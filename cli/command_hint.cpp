#include "cli/command_hint.hpp"

#include "cli/fleet_state.hpp"
#include "cli/shell_words.hpp"

namespace flotilla::cli {

std::string command_hint(const FleetOptions& options, std::string_view verb) {
    std::string command = "./flotilla " + std::string(verb);
    if (options.data_given) command += " --data " + shell_word(data_folder(options.data).root);
    return command;
}

} // namespace flotilla::cli
