#include "bench/suites/disk.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

namespace flotilla::bench {
namespace {

constexpr std::size_t kDiskBlockBytes = 4096;
constexpr std::size_t kDiskFileBlocks = 1024;

} // namespace

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

} // namespace flotilla::bench
