#include <fstream>
#include <iterator>
#include <stdexcept>

#include "bench/suites/competitor.hpp"

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

std::string text_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Copies the Fastify peer beside the build and installs its packages, once per lock file.
void install_fastify(const std::string& npm, const std::filesystem::path& source, const std::filesystem::path& built) {
    std::filesystem::create_directories(built);
    for (const char* file : {"package.json", "package-lock.json", "server.js"})
        std::filesystem::copy_file(source / file, built / file, std::filesystem::copy_options::overwrite_existing);
    const auto lock = text_of(source / "package-lock.json");
    if (text_of(built / "installed.json") == lock) return;
    run_tool("npm", {npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"}, built);
    write_file(built / "installed.json", lock);
}

Competitor fastify_service(const Setting& setting, const std::filesystem::path& folder) {
    Competitor fastify{.name = "fastify", .port = free_port()};
    const auto node = find_program("node");
    const auto npm = find_program("npm");
    if (!node || !npm) {
        note_skipped("fastify", "there is no node or npm: apt-get install nodejs npm");
        return fastify;
    }
    const auto built = setting.built_peers / "fastify-service";
    try {
        install_fastify(*npm, setting.peers / "fastify-service", built);
    } catch (const std::runtime_error& failure) { // no way to the registry, for one
        note_skipped("fastify", failure.what());
        return fastify;
    }
    start(fastify, {*node, built / "server.js", std::to_string(fastify.port)}, folder, {{"NODE_ENV", "production"}});
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
