#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "cli/command_line.hpp"

int main(int argc, char** argv) {
    try {
        // The script ./flotilla says where the project lies; without it everything is relative to here.
        const char* home = std::getenv("FLOTILLA_HOME");
        const std::string prefix = home ? std::string(home) + "/" : std::string();
        return flotilla::cli::run_command_line(
            argc, argv,
            {.data = prefix + ".flotilla",
             .file = prefix + "flotilla.yaml",
             .binary_folder = std::filesystem::read_symlink("/proc/self/exe").parent_path().string()});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "flotilla: %s\n", error.what());
        return 1;
    }
}
