#include "bench/suites/competitor.hpp"

#include <fmt/format.h>

namespace flotilla::bench {
namespace {

constexpr std::size_t kConnections = 64;

Contender contender(const Competitor& competitor, const std::string& path, const Setting& setting) {
    const Load load{.port = competitor.port,
                    .connections = kConnections,
                    .request = fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", path, competitor.port),
                    .seconds = setting.seconds};
    return {.name = competitor.name,
            .measure = [load, process = competitor.process.get()] { return measure(*process, load); }};
}

} // namespace

void start(Competitor& competitor, std::vector<std::string> arguments, const std::filesystem::path& folder,
           std::map<std::string, std::string> environment) {
    competitor.process = std::make_unique<ServerProcess>(ServerCommand{.arguments = std::move(arguments),
                                                                       .folder = folder,
                                                                       .name = competitor.name,
                                                                       .environment = std::move(environment)});
    competitor.process->await_port(competitor.port);
}

std::vector<Row> compare_http(const std::string& bench, const std::string& path,
                              const std::vector<Competitor>& competitors, const Setting& setting) {
    std::vector<Contender> contenders;
    for (const auto& competitor : competitors) {
        if (competitor.process) contenders.push_back(contender(competitor, path, setting));
    }
    const auto medians = contest(contenders, setting.rounds);
    const auto& ours = medians.front();
    std::vector<Row> rows;
    std::size_t next = 1;
    for (std::size_t i = 1; i < competitors.size(); ++i) {
        const auto& peer = competitors[i];
        const Measurement* theirs = peer.process ? &medians[next++] : nullptr;
        const auto add = [&](const char* what, const char* unit, double Measurement::* figure, Wanted wanted,
                             std::optional<double> target) {
            rows.push_back({.bench = bench,
                            .what = what,
                            .ours = ours.*figure,
                            .unit = unit,
                            .peer = peer.name,
                            .peer_value = theirs ? std::optional(theirs->*figure) : std::nullopt,
                            .target = target,
                            .wanted = wanted});
        };
        add("CPU", "µs/request", &Measurement::cpu_us, Wanted::at_most, peer.target);
        add("throughput", "requests/s", &Measurement::per_second, Wanted::at_least, {});
        add("latency p99", "µs", &Measurement::p99_us, Wanted::at_most, {});
    }
    return rows;
}

} // namespace flotilla::bench
