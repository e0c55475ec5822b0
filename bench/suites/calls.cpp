#include <cstdio>
#include <stdexcept>

#include <fmt/format.h>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {
namespace {

constexpr double kAddedWantedUs = 1.5;

struct Costs {
    double bare = 0, stack = 0, added = 0; ///< µs of CPU per call
};

Costs measure(const Setting& setting, std::uint16_t port, const std::filesystem::path& folder) {
    ServerProcess process(
        {.arguments = {setting.programs / "bench-calls", "--address", fmt::format("127.0.0.1:{}", port), "--seconds",
                       fmt::format("{:.3f}", setting.seconds.count())},
         .folder = folder,
         .name = "bench-calls"});
    if (process.wait() != 0) throw std::runtime_error(process.complaint("failed"));
    Costs costs;
    if (std::sscanf(process.output().c_str(), "%lf %lf %lf", &costs.bare, &costs.stack, &costs.added) != 3)
        throw std::runtime_error(process.complaint("printed something else than figures"));
    return costs;
}

} // namespace

std::vector<Row> bench_calls(const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    const auto port = free_port();
    ServerProcess backend({.arguments = {setting.programs / "bench-backend", std::to_string(port)},
                           .folder = folder.path(),
                           .name = "backend",
                           .core = kLoadCore});
    backend.await_port(port);
    std::vector<double> bare, stack, added;
    for (int round = 0; round < setting.rounds; ++round) {
        check_interrupted();
        const auto costs = measure(setting, port, folder.path());
        bare.push_back(costs.bare);
        stack.push_back(costs.stack);
        added.push_back(costs.added);
    }
    return {{.bench = "calls",
             .what = "CPU, client stack",
             .ours = median(stack),
             .unit = "µs/call",
             .peer = "bare client",
             .peer_value = median(bare)},
            {.bench = "calls",
             .what = "CPU that the stack adds",
             .ours = median(added),
             .unit = "µs/call",
             .peer = "wanted",
             .peer_value = kAddedWantedUs,
             .target = 1,
             .wanted = Wanted::at_most}};
}

} // namespace flotilla::bench
