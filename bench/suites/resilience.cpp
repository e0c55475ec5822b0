#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>

#include "bench/suites/resilience_parts.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr double kDeadlineMs = 1000;
constexpr double kSuccessWanted = 0.999;
constexpr double kLoadWanted = 1.2;   ///< times the fair share
constexpr double kMemoryWanted = 1.1; ///< times that of before
constexpr auto kWarmUp = 1500ms;
constexpr auto kAfterwards = 1500ms; ///< calls that began in the fault end, and what heals is seen to

struct Fault {
    std::string_view name;
    void (*begin)(Fleet& fleet, Fleet::Instance& victim);
    void (*end)(Fleet& fleet) = nullptr; ///< if given, what comes after it counts as well
    bool of_registry = false;            ///< all instances are well; Envoy has none
    bool needs_network = false;
    double times = 3; ///< of the length of a measurement
};

using Victim = Fleet::Instance;
void restart_hub(Fleet& fleet) { fleet.start_hub(); }

constexpr Fault kFaults[] = {
    {.name = "killed", .begin = [](Fleet& fleet, Victim& victim) { fleet.kill(victim); }},
    {.name = "stopped", .begin = [](Fleet& fleet, Victim& victim) { fleet.stop(victim); }},
    {.name = "failing", .begin = [](Fleet& fleet, Victim& victim) { fleet.fail(victim, 100); }},
    {.name = "slow", .begin = [](Fleet& fleet, Victim& victim) { fleet.slow(victim, 300); }},
    {.name = "half-open", .begin = [](Fleet& fleet, Victim&) { fleet.swallow(); }, .needs_network = true},
    {.name = "refusing", .begin = [](Fleet& fleet, Victim& victim) { fleet.refuse(victim); }},
    {.name = "registry-down",
     .begin = [](Fleet& fleet, Victim&) { fleet.end_hub(); },
     .end = restart_hub,
     .of_registry = true,
     .times = 6},
    {.name = "registry-garbage",
     .begin =
         [](Fleet& fleet, Victim&) {
             fleet.end_hub();
             fleet.start_garbage();
         },
     .end = restart_hub,
     .of_registry = true,
     .times = 6},
};

/// What all seeds have seen of one kind of caller while something was wrong.
struct Seen {
    std::vector<CallMade> calls;
    std::vector<double> loads, memory, cpu; ///< of each seed: times the fair share, times that of before, µs per call

    double p99_ms() const {
        std::vector<double> all;
        for (const auto& call : calls)
            all.push_back(call.ms);
        std::ranges::sort(all);
        return all.at(all.size() * 99 / 100);
    }
};

/// Figures of a moment, of all kinds of callers.
struct Moment {
    std::map<std::string, double> memory, cpu;
    std::map<std::string, std::vector<double>> arrived; ///< at each instance that is well
    Clock::time_point at;
};

Moment look(Fleet& fleet, const std::vector<CallerKind>& kinds, const Victim* victim) {
    Moment moment;
    for (const auto& kind : kinds) {
        for (const auto& instance : fleet.instances()) {
            if (&instance != victim) moment.arrived[kind.name].push_back(Fleet::arrived(instance, kind.name));
        }
        moment.memory[kind.name] = fleet.resident_mb(kind.name);
        moment.cpu[kind.name] = fleet.cpu_us(kind.name);
    }
    moment.at = Clock::now();
    return moment;
}

/// The load of the busiest instance that is well, as times of its fair share of the calls.
double busiest(const std::vector<double>& before, const std::vector<double>& after, std::size_t calls) {
    double most = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
        most = std::max(most, after[i] - before[i]);
    return most * static_cast<double>(before.size()) / static_cast<double>(calls);
}

/// One fault, one seed.
void run_fault(const Fault& fault, const Setting& setting, const std::filesystem::path& folder,
               const std::optional<std::string>& envoy, std::uint64_t seed, std::map<std::string, Seen>& seen) {
    std::mt19937_64 random(seed);
    std::optional<NetworkNamespace> network;
    if (fault.needs_network) network.emplace();
    Fleet fleet(setting, folder, {.seed = seed, .network = network ? &*network : nullptr});
    const auto [kinds, its] = start_callers(fleet, folder, fault.of_registry ? std::nullopt : envoy);
    fleet.pass(kWarmUp + std::chrono::milliseconds(random() % 500));

    auto& victim = fleet.instances()[fault.needs_network ? 0 : random() % fleet.instances().size()];
    const auto* bad = fault.of_registry ? nullptr : &victim;
    const auto before = look(fleet, kinds, bad);
    fault.begin(fleet, victim);
    fleet.pass(fault.times * setting.seconds);
    if (fault.end != nullptr) {
        fault.end(fleet);
        fleet.pass(setting.seconds);
    }
    const auto after = look(fleet, kinds, bad);
    fleet.pass(kAfterwards);
    for (const auto& kind : kinds) {
        auto& of_kind = seen[kind.name];
        auto calls = between(fleet.calls_of(kind.name), before.at, after.at);
        if (calls.empty()) throw std::runtime_error("no call of " + kind.name + " has ended");
        of_kind.loads.push_back(busiest(before.arrived.at(kind.name), after.arrived.at(kind.name), calls.size()));
        of_kind.memory.push_back(after.memory.at(kind.name) / before.memory.at(kind.name));
        of_kind.cpu.push_back((after.cpu.at(kind.name) - before.cpu.at(kind.name)) / static_cast<double>(calls.size()));
        note(fmt::format("{}, seed {}", fault.name, seed), kind.name, calls);
        std::ranges::move(calls, std::back_inserter(of_kind.calls));
    }
}

std::vector<Row> rows_of(const Fault& fault, const std::map<std::string, Seen>& seen) {
    std::vector<Row> rows;
    const auto add = [&](const char* what, std::string_view kind, double ours, const Figure& figure) {
        rows.push_back(row_of(fmt::format("{}: {}", fault.name, what), kind, ours, figure));
    };
    for (const auto* kind : kCallerNames) {
        const auto found = seen.find(kind);
        if (found == seen.end()) continue;
        const auto& of_kind = found->second;
        add("success", kind, success(of_kind.calls), {"%", "calls", 100, kSuccessWanted, Wanted::at_least});
        add("p99", kind, of_kind.p99_ms(), {"ms", "deadline", kDeadlineMs, 1, Wanted::at_most});
        if (kind != std::string_view("stack")) continue;
        add("busiest well instance", kind, std::ranges::max(of_kind.loads),
            {"shares", "fair", 1, kLoadWanted, Wanted::at_most});
        add("callers' memory", kind, std::ranges::max(of_kind.memory),
            {"times", "before", 1, kMemoryWanted, Wanted::at_most});
        rows.push_back({.bench = "resilience",
                        .what = fmt::format("{}: caller's CPU, stack", fault.name),
                        .ours = median(of_kind.cpu),
                        .unit = "µs/call",
                        .peer = "bare",
                        .peer_value = median(seen.at("bare").cpu)});
    }
    return rows;
}

} // namespace

std::vector<Row> bench_resilience(const Setting& setting) {
    const auto envoy = find_envoy(setting);
    std::vector<Row> rows;
    const auto take = [&rows](std::vector<Row> more) { std::ranges::move(more, std::back_inserter(rows)); };
    const auto wanted = [&](std::string_view name) { return setting.fault.empty() || setting.fault == name; };
    for (const auto& fault : kFaults) {
        if (!wanted(fault.name)) continue;
        if (fault.needs_network && !NetworkNamespace::possible()) {
            note_skipped(fault.name, "it needs a network of its own: root, and ip of iproute2");
            continue;
        }
        std::map<std::string, Seen> seen;
        for (int seed = 1; seed <= setting.seeds; ++seed) {
            const TemporaryFolder folder(setting.data);
            run_fault(fault, setting, folder.path(), envoy, static_cast<std::uint64_t>(seed), seen);
        }
        take(rows_of(fault, seen));
    }
    if (wanted("flaky")) take(bench_flaky_instance(setting, envoy));
    if (wanted("storm")) take(bench_retry_storm(setting));
    return rows;
}

} // namespace flotilla::bench
