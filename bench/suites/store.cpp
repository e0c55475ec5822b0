#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {
namespace {

constexpr double kTargetOfSixtyFour = 15;
constexpr std::size_t kDiskBlockBytes = 4096;
constexpr std::size_t kDiskFileBlocks = 1024;

Measurement measure_transactions(const Setting& setting, int concurrent) {
    const TemporaryFolder folder(setting.data); // a fresh database each time
    ServerProcess process(
        {.arguments = {setting.programs / "bench-store", "--file", folder.path() / "bench.db", "--concurrent",
                       std::to_string(concurrent), "--seconds", fmt::format("{:.3f}", setting.seconds.count())},
         .folder = folder.path(),
         .name = "bench-store"});
    if (process.wait() != 0) throw std::runtime_error(process.complaint("failed"));
    Measurement seen;
    if (std::sscanf(process.output().c_str(), "%lf %lf %lf %lf", &seen.per_second, &seen.cpu_us, &seen.p50_us,
                    &seen.p99_us) != 4) {
        throw std::runtime_error(process.complaint("printed something else than figures"));
    }
    return seen;
}

/// The floor under every durable commit: overwrite 4 KiB of a file that keeps its size, then fdatasync.
Measurement measure_disk(const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    const auto name = folder.path() / "disk";
    write_file(name, std::string(kDiskBlockBytes * kDiskFileBlocks, '\0'));
    const int file = ::open(name.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0 || ::fdatasync(file) != 0) throw std::runtime_error("cannot write " + name.string());
    const std::array<char, kDiskBlockBytes> block{};
    std::vector<double> times_us;
    const auto begin = std::chrono::steady_clock::now();
    auto now = begin;
    bool failed = false;
    while (now - begin < setting.seconds && !failed) {
        const auto at = static_cast<off_t>(times_us.size() % kDiskFileBlocks * kDiskBlockBytes);
        failed = ::pwrite(file, block.data(), block.size(), at) != static_cast<ssize_t>(block.size()) ||
                 ::fdatasync(file) != 0;
        const auto before = std::exchange(now, std::chrono::steady_clock::now());
        times_us.push_back(std::chrono::duration<double, std::micro>(now - before).count());
    }
    ::close(file);
    if (failed) throw std::runtime_error("cannot write " + name.string());
    const std::chrono::duration<double> elapsed = now - begin;
    return {.per_second = static_cast<double>(times_us.size()) / elapsed.count(),
            .p50_us = median(std::move(times_us))};
}

} // namespace

std::vector<Row> bench_store(const Setting& setting) {
    const auto transactions = [&setting](int concurrent) {
        return Contender{.name = fmt::format("{} concurrent", concurrent),
                         .measure = [&setting, concurrent] { return measure_transactions(setting, concurrent); }};
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
