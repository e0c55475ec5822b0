#include <cstdio>
#include <exception>

#include "cli/command_line.hpp"
#include "cli/fleet_flags.hpp"

int main(int argc, char** argv) {
    try {
        return flotilla::cli::run_command_line(argc, argv, flotilla::cli::default_fleet());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "flotilla: %s\n", error.what());
        return 1;
    }
}
