#include <fstream>
#include <iterator>
#include <stdexcept>

#include "bench/suites/competitor.hpp"
#include "bench/suites/node_peer.hpp"

namespace flotilla::bench {
namespace {

constexpr double kTargetOfGo = 0.65;

Competitor our_service(const Setting& setting, const std::filesystem::path& folder) {
    Competitor ours{.name = "flotilla", .port = free_port()};
    start(ours,
          {setting.programs / "bench-service", "--port", std::to_string(ours.port), "--data", folder / "data",
           "--registry", "none", "--bus", "memory:bench", "--log-format", "json", "--access-log-sample", "100"},
          folder);
    return ours;
}

Competitor go_service(const Setting& setting, const std::filesystem::path& folder) {
    Competitor go{.name = "go", .port = free_port(), .target = kTargetOfGo};
    const auto compiler = find_program("go");
    if (!compiler) {
        note_skipped("go", "there is no go: apt-get install golang-go");
        return go;
    }
    const auto built = setting.built_peers / "go-service";
    std::filesystem::create_directories(built);
    try {
        run_tool("go-build", {*compiler, "build", "-o", built / "go-service", setting.peers / "go-service/main.go"},
                 built, {{"GOTOOLCHAIN", "local"}, {"GOFLAGS", "-mod=mod"}, {"GOPROXY", "off"}});
    } catch (const std::runtime_error& failure) {
        note_skipped("go", failure.what());
        return go;
    }
    start(go, {built / "go-service", std::to_string(go.port)}, folder, {{"GOMAXPROCS", "1"}});
    return go;
}

Competitor fastify_service(const Setting& setting, const std::filesystem::path& folder) {
    Competitor fastify{.name = "fastify", .port = free_port()};
    const auto peer = install_node_peer(setting, "fastify-service");
    if (!peer) return fastify;
    start(fastify, {peer->node, peer->folder / "server.js", std::to_string(fastify.port)}, folder,
          {{"NODE_ENV", "production"}});
    return fastify;
}

} // namespace

std::vector<Row> bench_service(const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    std::vector<Competitor> competitors;
    competitors.push_back(our_service(setting, folder.path()));
    competitors.push_back(go_service(setting, folder.path()));
    competitors.push_back(fastify_service(setting, folder.path()));
    return compare_http("service", "/items/4711", competitors, setting);
}

} // namespace flotilla::bench
