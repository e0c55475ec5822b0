#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/harness/contest.hpp"
#include "bench/harness/report.hpp"
#include "bench/harness/server_process.hpp"

namespace flotilla::bench {

/// What every benchmark is given.
struct Setting {
    int rounds = 5;
    int seeds = 1;                            ///< of what is done at random moments to random victims
    std::string fault = {};                   ///< the only one of those; empty: all
    std::chrono::duration<double> seconds{2}; ///< of each measurement
    std::filesystem::path programs;           ///< our binaries
    std::filesystem::path shop;               ///< where the shop's gateway.yaml is
    std::filesystem::path peers;              ///< sources of the peers: bench/peers
    std::filesystem::path built_peers;        ///< where they are built and installed
    std::filesystem::path data;               ///< temporary folders go below it: a real disk
};

struct Suite {
    std::string_view name, summary;
    /// Throws std::runtime_error when something of ours, or a peer that is there, does not work.
    std::vector<Row> (*run)(const Setting& setting);
};

std::vector<Row> bench_service(const Setting& setting);
std::vector<Row> bench_gateway(const Setting& setting);
std::vector<Row> bench_hub(const Setting& setting);
std::vector<Row> bench_store(const Setting& setting);
std::vector<Row> bench_saga(const Setting& setting);
std::vector<Row> bench_growth(const Setting& setting);
std::vector<Row> bench_calls(const Setting& setting);
std::vector<Row> bench_overload(const Setting& setting);
std::vector<Row> bench_resilience(const Setting& setting);
std::vector<Row> bench_shop(const Setting& setting);
std::vector<Row> bench_metastability(const Setting& setting);

/// Where PATH has a program; nullopt when it has not.
std::optional<std::string> find_program(const std::string& name);

/// Writes a file. Throws std::runtime_error when it cannot.
void write_file(const std::filesystem::path& file, std::string_view text);

/// Runs a tool that builds or installs a peer, on any core. Throws std::runtime_error when it fails.
void run_tool(const std::string& name, std::vector<std::string> arguments, const std::filesystem::path& folder,
              std::map<std::string, std::string> environment = {});

/// Says on stderr that a peer is missing, and why.
void note_skipped(std::string_view peer, std::string_view why);

} // namespace flotilla::bench
