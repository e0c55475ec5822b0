#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <set>

#include <CLI/CLI.hpp>

#include "bench/harness/report.hpp"
#include "bench/suites/suites.hpp"

namespace {

using namespace flotilla::bench;

constexpr Suite kSuites[] = {
    {"service", "a small JSON answer: Go's net/http, Fastify", bench_service},
    {"gateway", "proxying 150 bytes: HAProxy, nginx", bench_gateway},
    {"hub", "XADD of 200 bytes at 1, 50, 500 clients: Redis", bench_hub},
    {"growth", "what jobs, events, orders, users, keys, mails cost with 1,000,000 kept: with 1,000", bench_growth},
    {"calls", "a call over the client stack of services: over the bare pooled client", bench_calls},
    {"overload", "three times what a service can do: its own peak, with load shedding and without", bench_overload},
    {"resilience", "calls while instances and the registry fail: a bare client, Envoy, naive retries",
     bench_resilience},
    {"shop", "users, orders and dashboards by the whole fleet: the same as the requirements show it on Node",
     bench_shop},
    {"saga", "durable sagas of three steps, 1 and 256 at a time: fdatasync", bench_saga},
    {"metastability", "three hops behind a stall and a wiped cache: with naive retries and no load shedding",
     bench_metastability},
    {"store", "transactions with an outbox row, 1 and 64 at a time", bench_store},
};

struct Options {
    std::vector<std::string> names; ///< empty: all
    bool json = false;
    Setting setting;
};

void add_flags(CLI::App& app, Options& options, double& seconds) {
    std::set<std::string> known;
    for (const auto& suite : kSuites)
        known.emplace(suite.name);
    app.add_option("NAME", options.names, "Which benchmarks; all when none is named")->check(CLI::IsMember(known));
    app.add_flag("--json", options.json, "One JSON object per row instead of a table");
    app.add_option("--rounds", options.setting.rounds, "Measurements of each; the median counts")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--seeds", options.setting.seeds,
                   "Of resilience (moments and victims) and metastability (which calls come when)")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("--fault", options.setting.fault, "Only one of those in resilience")
        ->check(CLI::IsMember({"killed", "stopped", "failing", "slow", "half-open", "refusing", "registry-down",
                               "registry-garbage", "flaky", "storm"}));
    app.add_option("--seconds", seconds, "Length of a measurement")
        ->check(CLI::Range(0.05, 600.0))
        ->capture_default_str();
    app.add_option("--data", options.setting.data, "Folder for temporary files, on the disk that is to be measured")
        ->capture_default_str();
    std::string footer = "Benchmarks:\n";
    for (const auto& suite : kSuites)
        footer += "  " + std::string(suite.name) + ": " + std::string(suite.summary) + "\n";
    app.footer(footer);
}

/// False when a benchmark could not be run.
bool run_suites(const Options& options) {
    std::vector<Row> rows;
    bool fine = true;
    for (const auto& suite : kSuites) {
        if (!options.names.empty() && std::ranges::find(options.names, suite.name) == options.names.end()) continue;
        std::fprintf(stderr, "%.*s\n", static_cast<int>(suite.name.size()), suite.name.data());
        try {
            check_interrupted();
            for (auto& row : suite.run(options.setting)) {
                if (options.json) std::printf("%s\n", to_json(row).c_str());
                rows.push_back(std::move(row));
            }
            std::fflush(stdout);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "  failed: %s\n", error.what());
            fine = false;
        }
    }
    if (!options.json) std::printf("%s", to_table(rows).c_str());
    return fine;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    double seconds = options.setting.seconds.count();
    const char* home = std::getenv("FLOTILLA_HOME");
    const std::filesystem::path source = home ? std::filesystem::path(home) : std::filesystem::current_path();
    options.setting.programs = std::filesystem::canonical("/proc/self/exe").parent_path();
    options.setting.shop = source;
    options.setting.peers = source / "bench/peers";
    options.setting.built_peers = options.setting.programs.parent_path() / "bench-peers";
    options.setting.data = source / ".flotilla/bench";
    CLI::App app("Flotilla's benchmarks beside their peers; see bench/README.md.", "./flotilla bench");
    add_flags(app, options, seconds);
    CLI11_PARSE(app, argc, argv);
    options.setting.seconds = std::chrono::duration<double>(seconds);
    try {
        catch_interrupts();
        pin(0, kLoadCore);
        return run_suites(options) ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench: %s\n", error.what());
        return 1;
    }
}
