#include "bench/suites/node_peer.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace flotilla::bench {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void install(const std::string& npm, const fs::path& source, const fs::path& built) {
    fs::create_directories(built);
    for (const auto& file : fs::directory_iterator(source))
        fs::copy_file(file.path(), built / file.path().filename(), fs::copy_options::overwrite_existing);
    const auto lock = text_of(source / "package-lock.json");
    if (text_of(built / "installed.json") == lock) return;
    run_tool("npm", {npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"}, built);
    write_file(built / "installed.json", lock);
}

} // namespace

std::optional<NodePeer> install_node_peer(const Setting& setting, const std::string& name) {
    const auto node = find_program("node");
    const auto npm = find_program("npm");
    if (!node || !npm) {
        note_skipped(name, "there is no node or npm: apt-get install nodejs npm");
        return {};
    }
    const auto built = setting.built_peers / name;
    try {
        install(*npm, setting.peers / name, built);
    } catch (const std::runtime_error& failure) { // no way to the registry, for one
        note_skipped(name, failure.what());
        return {};
    }
    return NodePeer{.node = *node, .folder = built};
}

} // namespace flotilla::bench
