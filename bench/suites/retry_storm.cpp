#include <fmt/format.h>

#include <map>
#include <optional>

#include "bench/suites/resilience_parts.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr double kPerSecond = 20; ///< of each kind; naive retries make 1280 of it
constexpr auto kWindow = 11s;     ///< the retry budgets': what succeeded before still pays for retries
constexpr double kLoadWanted = 1.1;

double arrived_at_last(Fleet& fleet, const std::string& kind) {
    double sum = 0;
    for (const auto& instance : fleet.instances())
        sum += Fleet::arrived(instance, kind);
    return sum;
}

struct LastHop {
    double arrived = 0; ///< requests at the last hop
    double asked = 0;   ///< calls of the first, of which each is one there when all is well
};

Row row(const std::string& kind, const LastHop& load, double seconds, std::optional<double> target) {
    return {.bench = "resilience",
            .what = "last of three hops fails: load there, " + kind,
            .ours = load.arrived / seconds,
            .unit = "requests/s",
            .peer = "normal",
            .peer_value = load.asked / seconds,
            .target = target,
            .wanted = Wanted::at_most};
}

} // namespace

std::vector<Row> bench_retry_storm(const Setting& setting) {
    const std::map<std::string, std::string> named{{"stack", "stack"}, {"bare", "naive retries"}};
    std::map<std::string, LastHop> loads;
    double seconds = 0;
    for (int seed = 1; seed <= setting.seeds; ++seed) {
        const TemporaryFolder folder(setting.data);
        Fleet fleet(setting, folder.path(),
                    {.instances = 2,
                     .callers = 1,
                     .per_second = kPerSecond,
                     .seed = static_cast<std::uint64_t>(seed),
                     .chain = true});
        fleet.call({.name = "stack"}, "front-hop");
        fleet.call({.name = "bare", .arguments = {"--bare", "--tries", "4"}}, "front-hop");
        fleet.pass(1s);
        for (const auto& instance : fleet.instances())
            fleet.fail(instance, 100);
        fleet.pass(kWindow);
        const auto begin = Clock::now();
        for (const auto& [kind, name] : named)
            loads[kind].arrived -= arrived_at_last(fleet, kind);
        fleet.pass(2 * setting.seconds);
        for (const auto& [kind, name] : named)
            loads[kind].arrived += arrived_at_last(fleet, kind);
        const auto end = Clock::now();
        seconds += std::chrono::duration<double>(end - begin).count();
        fleet.pass(1s); // the last of those calls end
        for (const auto& [kind, name] : named) {
            const auto calls = between(fleet.calls_of(kind), begin, end);
            note(fmt::format("last hop fails, seed {}", seed), name, calls);
            loads[kind].asked += static_cast<double>(calls.size());
        }
    }
    return {row("stack", loads["stack"], seconds, kLoadWanted), row("naive retries", loads["bare"], seconds, {})};
}

} // namespace flotilla::bench
