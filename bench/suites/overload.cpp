#include <fmt/format.h>

#include "bench/harness/open_loop.hpp"
#include "bench/suites/competitor.hpp"

namespace flotilla::bench {
namespace {

constexpr double kOverload = 3;   ///< times the capacity
constexpr double kUnloaded = 0.2; ///< of the capacity
constexpr std::size_t kConnections =
    8; ///< what finds the capacity: enough to keep a loop busy, too few to queue for long
constexpr double kGoodputWanted = 0.85;  ///< of the peak
constexpr double kP99Wanted = 3;         ///< times that of an unloaded server
constexpr double kCriticalWanted = 0.99; ///< of what is critical is served

/// Shares of the requests: what is critical alone fits into the capacity.
const std::vector<std::pair<std::string, double>> kMix{{"critical", 0.1}, {"normal", 0.6}, {"sheddable", 0.3}};

std::string request(std::uint16_t port, std::string_view criticality) {
    return fmt::format("GET /work/1 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nflotilla-criticality: {}\r\n\r\n", port,
                       criticality);
}

/// A small request while nothing is shed: from as many connections as keep the server busy.
double cpu_us(const Competitor& service, const Setting& setting) {
    return measure(*service.process,
                   {.port = service.port,
                    .request = fmt::format("GET /items/1 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", service.port),
                    .seconds = setting.seconds})
        .cpu_us;
}

Competitor work_service(const Setting& setting, const std::filesystem::path& folder, const std::string& name,
                        const std::string& shed_after) {
    Competitor service{.name = name, .port = free_port()};
    start(service,
          {setting.programs / "bench-service", "--port", std::to_string(service.port), "--data", folder / name,
           "--registry", "none", "--bus", "memory:" + name, "--log-format", "json", "--access-log-sample", "100",
           "--shed-after", shed_after},
          folder);
    return service;
}

OpenOutcome offer(const Competitor& service, double per_second, const Setting& setting, int round) {
    OpenLoad load{.port = service.port,
                  .streams = {},
                  .per_second = per_second,
                  .seconds = setting.seconds,
                  .seed = static_cast<std::uint64_t>(round) + 1};
    for (const auto& [name, share] : kMix)
        load.streams.push_back(
            {.name = name, .share = share, .request = [text = request(service.port, name)] { return text; }});
    return run_open_loop(load);
}

/// What a round found of one service under three times what it can do.
struct Figures {
    std::vector<double> goodput, p99, critical, normal, sheddable_refused;

    void add(const OpenOutcome& outcome) {
        goodput.push_back(outcome.served_per_second);
        p99.push_back(outcome.p99_us);
        critical.push_back(100 * outcome.streams[0].share_served());
        normal.push_back(100 * outcome.streams[1].share_served());
        sheddable_refused.push_back(100 * outcome.streams[2].share_refused());
    }
};

/// `with`: "shedding". With targets only where something is to be reached.
std::vector<Row> rows_of(const std::string& with, const Figures& figures, double peak, double unloaded_p99,
                         bool judged) {
    const auto wanted = [judged](double target) { return judged ? std::optional(target) : std::nullopt; };
    std::vector<Row> rows;
    const auto add = [&](const char* what, const std::vector<double>& values, const char* unit, const char* peer,
                         double peer_value, std::optional<double> target, Wanted direction) {
        rows.push_back({.bench = "overload",
                        .what = fmt::format("{}, {}", what, with),
                        .ours = median(values),
                        .unit = unit,
                        .peer = peer,
                        .peer_value = peer_value,
                        .target = target,
                        .wanted = direction});
    };
    add("goodput at 3x", figures.goodput, "requests/s", "peak", peak, wanted(kGoodputWanted), Wanted::at_least);
    add("p99 of served", figures.p99, "µs", "unloaded", unloaded_p99, wanted(kP99Wanted), Wanted::at_most);
    add("critical served", figures.critical, "%", "sent", 100, wanted(kCriticalWanted), Wanted::at_least);
    add("normal served", figures.normal, "%", "sent", 100, {}, Wanted::at_least);
    if (judged) add("sheddable refused", figures.sheddable_refused, "%", "sent", 100, {}, Wanted::at_least);
    return rows;
}

} // namespace

std::vector<Row> bench_overload(const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    const auto shedding = work_service(setting, folder.path(), "shedding", "20");
    const auto taking_all = work_service(setting, folder.path(), "taking-all", "0");
    const Load closed{.port = shedding.port,
                      .connections = kConnections,
                      .request = request(shedding.port, "normal"),
                      .seconds = setting.seconds};
    std::vector<double> peaks, unloaded, cpu, cpu_taking_all;
    Figures with, without;
    for (int round = 0; round < setting.rounds; ++round) {
        peaks.push_back(measure(*shedding.process, closed).per_second);
        const double peak = median(peaks);
        unloaded.push_back(offer(shedding, kUnloaded * peak, setting, round).p99_us);
        cpu.push_back(cpu_us(shedding, setting));
        cpu_taking_all.push_back(cpu_us(taking_all, setting));
        with.add(offer(shedding, kOverload * peak, setting, round));
        without.add(offer(taking_all, kOverload * peak, setting, round));
    }
    auto rows = rows_of("shedding", with, median(peaks), median(unloaded), true);
    for (auto& row : rows_of("taking all", without, median(peaks), median(unloaded), false))
        rows.push_back(std::move(row));
    rows.push_back({.bench = "overload",
                    .what = "CPU of a small request, nothing is shed",
                    .ours = median(cpu),
                    .unit = "µs/request",
                    .peer = "taking all",
                    .peer_value = median(cpu_taking_all)});
    return rows;
}

} // namespace flotilla::bench
