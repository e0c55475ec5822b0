#include <fmt/format.h>

#include "bench/suites/competitor.hpp"

namespace flotilla::bench {
namespace {

constexpr std::size_t kPayloadBytes = 200;

struct Case {
    std::size_t clients;
    double target;
};
constexpr Case kCases[] = {{1, 1.0}, {50, 1.0}, {500, 0.7}};

/// XADD bench-events * payload <200 bytes>
std::string append_request() {
    const std::string payload(kPayloadBytes, 'x');
    return fmt::format("*5\r\n$4\r\nXADD\r\n$12\r\nbench-events\r\n$1\r\n*\r\n$7\r\npayload\r\n${}\r\n{}\r\n",
                       payload.size(), payload);
}

Competitor our_hub(const Setting& setting, const std::filesystem::path& folder) {
    Competitor ours{.name = "flotilla", .port = free_port()};
    start(ours,
          {setting.programs / "flotilla-hub", "--data", folder / "hub", "--http-port", "0", "--redis-port",
           std::to_string(ours.port), "--smtp-port", "0"},
          folder);
    return ours;
}

Competitor redis(const std::filesystem::path& folder, double target) {
    Competitor peer{.name = "redis", .port = free_port(), .target = target};
    const auto program = find_program("redis-server");
    if (!program) {
        note_skipped("redis", "not installed: apt-get install redis-server");
        return peer;
    }
    const auto data = folder / "redis";
    std::filesystem::create_directories(data);
    start(peer,
          {*program, "--bind", "127.0.0.1", "--port", std::to_string(peer.port), "--dir", data, "--appendonly", "yes",
           "--save", "", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"},
          folder);
    return peer;
}

std::vector<Row> bench_clients(const Case& some, const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    const Competitor ours = our_hub(setting, folder.path());
    const Competitor peer = redis(folder.path(), some.target);
    const auto contender = [&](const Competitor& competitor) {
        const Load load{.port = competitor.port,
                        .connections = some.clients,
                        .request = append_request(),
                        .answer_length = resp_answer_length,
                        .seconds = setting.seconds};
        return Contender{.name = fmt::format("{} x{}", competitor.name, some.clients),
                         .measure = [load, &competitor] { return measure(*competitor.process, load); }};
    };
    std::vector<Contender> contenders{contender(ours)};
    if (peer.process) contenders.push_back(contender(peer));
    const auto medians = contest(contenders, setting.rounds);
    const auto row = [&](const char* what, const char* unit, double Measurement::* figure, Wanted wanted,
                         std::optional<double> target) {
        return Row{.bench = "hub",
                   .what = fmt::format("XADD {}, {} client{}", what, some.clients, some.clients == 1 ? "" : "s"),
                   .ours = medians[0].*figure,
                   .unit = unit,
                   .peer = peer.name,
                   .peer_value = medians.size() > 1 ? std::optional(medians[1].*figure) : std::nullopt,
                   .target = target,
                   .wanted = wanted};
    };
    return {row("throughput", "requests/s", &Measurement::per_second, Wanted::at_least, some.target),
            row("CPU", "µs/request", &Measurement::cpu_us, Wanted::at_most, {}),
            row("p99", "µs", &Measurement::p99_us, Wanted::at_most, {})};
}

} // namespace

std::vector<Row> bench_hub(const Setting& setting) {
    std::vector<Row> rows;
    for (const auto& some : kCases) {
        for (auto& row : bench_clients(some, setting))
            rows.push_back(std::move(row));
    }
    return rows;
}

} // namespace flotilla::bench
