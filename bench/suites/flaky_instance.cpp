#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "bench/suites/resilience_parts.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr double kPerSecond = 20;
constexpr int kFailPercent = 30;
constexpr auto kUntilKnown = 5s;
constexpr auto kAllBad = 4s;
constexpr auto kRecovery = 2s; ///< so long a good answer is waited for
constexpr double kSuccessWanted = 0.999;
constexpr double kShareWanted = 5; ///< % of the calls, once it is known
constexpr double kRecoveryWantedMs = 1000;

struct Seen {
    std::size_t calls = 0, good = 0;
    std::vector<double> shares, recoveries_ms;
    double success() const { return 100 * static_cast<double>(good) / static_cast<double>(calls); }
};

/// Requests that came to each instance.
std::vector<double> arrived(Fleet& fleet, const std::string& kind) {
    std::vector<double> counts;
    for (const auto& instance : fleet.instances())
        counts.push_back(Fleet::arrived(instance, kind));
    return counts;
}

/// In %, of what came between.
double share(const std::vector<double>& before, const std::vector<double>& after, std::size_t of) {
    double all = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
        all += after[i] - before[i];
    return 100 * (after[of] - before[of]) / all;
}

/// How long it took until the first good answer after a moment.
double first_good_ms(const std::vector<CallMade>& calls, Clock::time_point since) {
    auto first = Clock::time_point::max();
    for (const auto& call : calls) {
        const auto end =
            call.due + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(call.ms));
        if (call.ok() && end > since) first = std::min(first, end);
    }
    if (first == Clock::time_point::max()) {
        std::fprintf(stderr, "  all fail, one recovers: no good answer while it was waited for\n");
        return std::chrono::duration<double, std::milli>(kRecovery).count();
    }
    return std::chrono::duration<double, std::milli>(first - since).count();
}

void run_seed(const Setting& setting, const std::filesystem::path& folder, const std::optional<std::string>& envoy,
              std::uint64_t seed, std::map<std::string, Seen>& seen) {
    Fleet fleet(setting, folder, {.instances = 3, .callers = 1, .per_second = kPerSecond, .seed = seed});
    const auto [kinds, its] = start_callers(fleet, folder, envoy);
    fleet.pass(1s);
    const auto victim = seed % 3;
    const auto begin = Clock::now();
    fleet.fail(fleet.instances()[victim], kFailPercent);
    fleet.pass(kUntilKnown);
    std::map<std::string, std::vector<double>> known;
    for (const auto& kind : kinds)
        known[kind.name] = arrived(fleet, kind.name);
    fleet.pass(4 * setting.seconds);
    for (const auto& kind : kinds)
        seen[kind.name].shares.push_back(share(known[kind.name], arrived(fleet, kind.name), victim));
    const auto end = Clock::now();

    for (const auto& instance : fleet.instances())
        fleet.fail(instance, 100);
    fleet.pass(kAllBad);
    const auto recovery = Clock::now();
    fleet.heal(fleet.instances()[(victim + 1) % 3]);
    fleet.pass(kRecovery);
    for (const auto& kind : kinds) {
        auto calls = fleet.calls_of(kind.name);
        auto& of_kind = seen[kind.name];
        of_kind.recoveries_ms.push_back(first_good_ms(calls, recovery));
        calls = between(std::move(calls), begin, end);
        note(fmt::format("flaky, seed {}", seed), kind.name, calls);
        of_kind.calls += calls.size();
        of_kind.good += static_cast<std::size_t>(std::ranges::count_if(calls, &CallMade::ok));
    }
}

} // namespace

std::vector<Row> bench_flaky_instance(const Setting& setting, const std::optional<std::string>& envoy) {
    std::map<std::string, Seen> seen;
    for (int seed = 1; seed <= setting.seeds; ++seed) {
        const TemporaryFolder folder(setting.data);
        run_seed(setting, folder.path(), envoy, static_cast<std::uint64_t>(seed), seen);
    }
    std::vector<Row> rows;
    for (const auto* kind : kCallerNames) {
        const auto found = seen.find(kind);
        if (found == seen.end()) continue;
        const auto& of_kind = found->second;
        rows.push_back(row_of("30 % of one of three fail: success", kind, of_kind.success(),
                              {"%", "calls", 100, kSuccessWanted, Wanted::at_least}));
        rows.push_back(row_of("30 % of one of three fail: its share", kind, median(of_kind.shares),
                              {"%", "wanted", kShareWanted, 1, Wanted::at_most}));
        rows.push_back(row_of("all fail, one recovers: first good", kind, std::ranges::max(of_kind.recoveries_ms),
                              {"ms", "wanted", kRecoveryWantedMs, 1, Wanted::at_most}));
    }
    return rows;
}

} // namespace flotilla::bench
