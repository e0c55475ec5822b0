#include <fmt/format.h>

#include <vector>

#include "bench/suites/disk.hpp"
#include "bench/suites/embedded.hpp"
#include "bench/suites/suites.hpp"

namespace flotilla::bench {
namespace {

constexpr double kStepsWanted = 10'000;
constexpr int kCommits = 4; ///< of a saga of three steps: its start, and each step's end
constexpr double kBesidesUs = 5'000;
constexpr int kAtOnce = 256;

} // namespace

std::vector<Row> bench_saga(const Setting& setting) {
    const auto sagas = [&setting](int concurrent) {
        return Contender{.name = fmt::format("{} at a time", concurrent), .measure = [&setting, concurrent] {
                             return measure_embedded(setting, "bench-saga", concurrent);
                         }};
    };
    const auto medians = contest(
        {sagas(1), sagas(kAtOnce), {.name = "fdatasync", .measure = [&setting] { return measure_disk(setting); }}},
        setting.rounds);
    const auto &one = medians[0], &many = medians[1], &disk = medians[2];
    return {{.bench = "saga",
             .what = fmt::format("steps, {} sagas at a time", kAtOnce),
             .ours = many.per_second,
             .unit = "steps/s",
             .peer = "what is asked for",
             .peer_value = kStepsWanted,
             .target = 1,
             .wanted = Wanted::at_least},
            {.bench = "saga",
             .what = "p50 of a saga of three steps",
             .ours = one.p50_us,
             .unit = "µs",
             .peer = "4 fdatasync + 5 ms",
             .peer_value = kCommits * disk.p50_us + kBesidesUs,
             .target = 1},
            {.bench = "saga",
             .what = "p50 of a saga of three steps",
             .ours = one.p50_us,
             .unit = "µs",
             .peer = "fdatasync",
             .peer_value = disk.p50_us},
            {.bench = "saga",
             .what = fmt::format("CPU, {} sagas at a time", kAtOnce),
             .ours = many.cpu_us,
             .unit = "µs/step",
             .peer = "1 at a time",
             .peer_value = one.cpu_us}};
}

} // namespace flotilla::bench
