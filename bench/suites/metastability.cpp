#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "bench/harness/closed_loop.hpp"
#include "bench/harness/socket.hpp"
#include "bench/suites/fleet.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kOffered = 0.9;        ///< of the capacity
constexpr std::size_t kConnections = 4; ///< what finds the capacity: enough to keep the last hop busy
constexpr double kKeys = 3;       ///< what is asked for: three times as many things as there are calls in a second
constexpr double kCold = 0.45;    ///< of the calls: so many a second can the engine behind the cache look up
constexpr double kAtATime = 4;    ///< by the last hop's threads
constexpr double kStallTimes = 5; ///< of the length of a measurement
constexpr double kAfterTimes = 3; ///< so long it is looked at afterwards
constexpr auto kWindow = 1s;      ///< over which goodput counts
constexpr auto kStep = 50ms;
constexpr double kBack = 0.95; ///< of before
constexpr double kBackWithinS = 5;
constexpr double kUp = 50;   ///< %
constexpr int kAttempts = 3; ///< to find it up

/// A chain with what keeps it from failing for ever, and one without.
struct Kind {
    const char* name;
    const char* says;
    std::vector<std::string> of_hops, of_callers;
    bool judged;
};
const Kind kKinds[] = {
    {"stack", "framework", {}, {}, true},
    {"bare",
     "naive retries",
     {"--shed-after", "0", "--set", "try_ms=250"},
     {"--bare", "--tries", "4", "--try-ms", "250"},
     false},
};

/// What each seed has found.
struct Seen {
    std::vector<double> back_s, at_the_end;
};

/// Critical: one that sheds load takes it all the same.
void ask_last_hop(const Fleet::Instance& last, const char* method, const std::string& body = {}) {
    if (http_exchange(last.port, method, "/caches", body, "flotilla-criticality: critical\r\n").status != 204)
        throw std::runtime_error(last.process->complaint("does nothing with its caches"));
}

void fill(const Fleet::Instance& last, std::int64_t keys, std::chrono::duration<double, std::micro> look_up) {
    ask_last_hop(last, "PUT", fmt::format(R"({{"keys":{},"lookUpUs":{:.0f}}})", keys, look_up.count()));
}

double capacity(const Fleet::Instance& last, const Fleet::Instance& front, const Kind& kind, const Setting& setting) {
    return measure(*last.process,
                   {.port = front.port,
                    .connections = kConnections,
                    .request = fmt::format("GET /{}/1 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", kind.name, front.port),
                    .seconds = setting.seconds / 2})
        .per_second;
}

/// When the calls of a whole window succeeded again as they did before, in seconds since then; all the time that was
/// looked at when they did not.
double seconds_until_back(const std::vector<CallMade>& calls, Clock::time_point since, Clock::time_point end,
                          double wanted) {
    for (auto from = since; from + kWindow <= end; from += kStep) {
        if (success(between(calls, from, from + kWindow)) >= wanted) return Seconds(from - since).count();
    }
    return Seconds(end - since).count();
}

/// Says on stderr what part succeeded in each window since.
void note_windows(const std::vector<CallMade>& calls, Clock::time_point since, Clock::time_point end) {
    std::string text;
    for (auto from = since; from + kWindow <= end; from += kWindow)
        text += fmt::format(" {:.0f}", success(between(calls, from, from + kWindow)));
    std::fprintf(stderr, "    %% that succeeded in each second:%s\n", text.c_str());
}

/// False: it was down before anything was done to it, as happens without load shedding on a machine that is busy.
bool run_seed(const Kind& kind, const Setting& setting, std::uint64_t seed, Seen& seen) {
    const TemporaryFolder folder(setting.data);
    auto of_hops = kind.of_hops;
    of_hops.insert(of_hops.end(), {"--set", "works=1"});
    Fleet fleet(setting, folder.path(),
                {.instances = 1, .callers = 1, .seed = seed, .chain = true, .arguments = of_hops});
    auto& last = fleet.instances().front();
    fill(last, 2, 1ms);
    const double per_second = kOffered * capacity(last, fleet.front(), kind, setting);

    const auto keys = static_cast<std::int64_t>(std::max(1.0, kKeys * per_second));
    fill(last, keys, Seconds(kAtATime / (kCold * per_second)));
    auto of_callers = kind.of_callers;
    of_callers.insert(of_callers.end(), {"--keys", std::to_string(keys)});
    fleet.call({.name = kind.name, .arguments = of_callers, .per_second = per_second}, "front-hop");
    fleet.pass(setting.seconds / 4);
    const auto begin = Clock::now();
    fleet.pass(setting.seconds);

    const auto stalled = Clock::now();
    ask_last_hop(last, "DELETE");
    fleet.stop(last);
    fleet.pass(kStallTimes * setting.seconds);
    const auto resumed = Clock::now();
    fleet.resume(last);
    fleet.pass(kAfterTimes * setting.seconds);
    const auto end = Clock::now();
    fleet.pass(1s); // the last of those calls end

    const auto calls = fleet.calls_of(kind.name);
    const auto before = between(calls, begin, stalled), after = between(calls, resumed, end);
    const auto when = fmt::format("seed {}, {:.0f} calls/s", seed, per_second);
    note(when + ", before", kind.says, before);
    note(when + ", afterwards", kind.says, after);
    note_windows(after, resumed, end);
    if (success(before) < kUp) return false;
    seen.back_s.push_back(seconds_until_back(after, resumed, end, kBack * success(before)));
    const auto last_window = end - std::min<Clock::duration>(kWindow, end - resumed);
    seen.at_the_end.push_back(100 * success(between(after, last_window, end)) / success(before));
    return true;
}

void run_seed_once_up(const Kind& kind, const Setting& setting, std::uint64_t seed, Seen& seen) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (run_seed(kind, setting, seed, seen)) return;
    }
    throw std::runtime_error(fmt::format("with {} the chain is down before anything is done to it", kind.says));
}

std::vector<Row> rows_of(const Kind& kind, const Seen& seen) {
    const auto row = [&](const char* what, double ours, const char* unit, const char* peer, double peer_value,
                         std::optional<double> target, Wanted wanted) {
        return Row{.bench = "metastability",
                   .what = fmt::format("{}, {}", what, kind.says),
                   .ours = ours,
                   .unit = unit,
                   .peer = peer,
                   .peer_value = peer_value,
                   .target = kind.judged ? target : std::nullopt,
                   .wanted = wanted};
    };
    return {
        row("goodput is back, longest", std::ranges::max(seen.back_s), "s", "wanted", kBackWithinS, 1, Wanted::at_most),
        row("goodput is back, median", median(seen.back_s), "s", "wanted", kBackWithinS, {}, Wanted::at_most),
        row("goodput at the end", median(seen.at_the_end), "%", "before", 100, kBack, Wanted::at_least)};
}

} // namespace

std::vector<Row> bench_metastability(const Setting& setting) {
    std::vector<Row> rows;
    std::map<std::string, Seen> seen;
    for (int seed = 1; seed <= setting.seeds; ++seed) {
        for (const auto& kind : kKinds)
            run_seed_once_up(kind, setting, static_cast<std::uint64_t>(seed), seen[kind.name]);
    }
    for (const auto& kind : kKinds)
        std::ranges::move(rows_of(kind, seen[kind.name]), std::back_inserter(rows));
    return rows;
}

} // namespace flotilla::bench
