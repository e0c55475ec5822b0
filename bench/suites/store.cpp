#include <fmt/format.h>

#include <vector>

#include "bench/suites/disk.hpp"
#include "bench/suites/embedded.hpp"
#include "bench/suites/suites.hpp"

namespace flotilla::bench {
namespace {

constexpr double kTargetOfSixtyFour = 15;

} // namespace

std::vector<Row> bench_store(const Setting& setting) {
    const auto transactions = [&setting](int concurrent) {
        return Contender{.name = fmt::format("{} concurrent", concurrent), .measure = [&setting, concurrent] {
                             return measure_embedded(setting, "bench-store", concurrent);
                         }};
    };
    const auto medians = contest({transactions(1),
                                  transactions(64),
                                  {.name = "fdatasync", .measure = [&setting] { return measure_disk(setting); }}},
                                 setting.rounds);
    const auto &one = medians[0], &many = medians[1], &disk = medians[2];
    return {{.bench = "store",
             .what = "throughput, 64 concurrent",
             .ours = many.per_second,
             .unit = "transactions/s",
             .peer = "1 concurrent",
             .peer_value = one.per_second,
             .target = kTargetOfSixtyFour,
             .wanted = Wanted::at_least},
            {.bench = "store",
             .what = "throughput, 1 concurrent",
             .ours = one.per_second,
             .unit = "transactions/s",
             .peer = "fdatasync",
             .peer_value = disk.per_second,
             .wanted = Wanted::at_least},
            {.bench = "store",
             .what = "latency p50, 1 concurrent",
             .ours = one.p50_us,
             .unit = "µs",
             .peer = "fdatasync",
             .peer_value = disk.p50_us},
            {.bench = "store",
             .what = "CPU, 64 concurrent",
             .ours = many.cpu_us,
             .unit = "µs/transaction",
             .peer = "1 concurrent",
             .peer_value = one.cpu_us}};
}

} // namespace flotilla::bench
