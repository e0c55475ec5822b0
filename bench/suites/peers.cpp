#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {

std::optional<std::string> find_program(const std::string& name) {
    // Debian's servers live in folders that users do not have in PATH.
    const char* path = std::getenv("PATH");
    std::istringstream folders(std::string(path ? path : "") + ":/usr/sbin:/usr/local/sbin");
    for (std::string folder; std::getline(folders, folder, ':');) {
        const auto file = std::filesystem::path(folder) / name;
        if (!folder.empty() && std::filesystem::is_regular_file(file) && ::access(file.c_str(), X_OK) == 0) {
            return file.string();
        }
    }
    return {};
}

void write_file(const std::filesystem::path& file, std::string_view text) {
    std::ofstream out(file, std::ios::binary);
    out << text << std::flush;
    if (!out) throw std::runtime_error("cannot write " + file.string());
}

void run_tool(const std::string& name, std::vector<std::string> arguments, const std::filesystem::path& folder,
              std::map<std::string, std::string> environment) {
    ServerProcess tool({.arguments = std::move(arguments),
                        .folder = folder,
                        .name = name,
                        .core = kLoadCore,
                        .environment = std::move(environment)});
    if (tool.wait() != 0) throw std::runtime_error(tool.complaint("failed"));
}

void note_skipped(std::string_view peer, std::string_view why) {
    std::fprintf(stderr, "  skipped: %.*s (%.*s)\n", static_cast<int>(peer.size()), peer.data(),
                 static_cast<int>(why.size()), why.data());
}

} // namespace flotilla::bench
