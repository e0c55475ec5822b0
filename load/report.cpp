#include "load/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bench/harness/percentile.hpp"
#include "cli/terminal.hpp"

namespace flotilla::load {
namespace {

using bench::StreamOutcome;

constexpr std::size_t kBarColumns = 24;

std::string milliseconds(double us) {
    return us < 9'950 ? fmt::format("{:.1f}", us / 1e3) : fmt::format("{:.0f}", us / 1e3);
}

/// "12.3", of all that were sent; empty for none.
std::string percent(std::uint64_t part, std::uint64_t all) {
    return part == 0 ? "-"
                     : fmt::format("{} ({:.2f} %)", part, 100.0 * static_cast<double>(part) / static_cast<double>(all));
}

cli::Row row_of(const std::string& name, StreamOutcome outcome, double seconds) {
    const auto failed = outcome.failed() + outcome.refused + outcome.given_up();
    auto& times = outcome.latencies_us;
    cli::Row row{.cells = {{name},
                           {std::to_string(outcome.sent)},
                           {fmt::format("{:.1f}", static_cast<double>(outcome.served) / seconds)}}};
    for (const double share : {0.5, 0.9, 0.99, 0.999, 1.0})
        row.cells.push_back({times.empty() ? "-" : milliseconds(bench::percentile(times, share))});
    row.cells.push_back({percent(failed, outcome.sent), failed == 0 ? std::string_view() : cli::red()});
    return row;
}

StreamOutcome sum_of(const std::vector<StreamOutcome>& streams) {
    StreamOutcome sum;
    for (const auto& stream : streams) {
        sum.sent += stream.sent;
        sum.served += stream.served;
        sum.refused += stream.refused;
        for (const auto& [what, times] : stream.failures)
            sum.failures[what] += times;
        sum.latencies_us.insert(sum.latencies_us.end(), stream.latencies_us.begin(), stream.latencies_us.end());
    }
    return sum;
}

} // namespace

std::string progress_line(const bench::OpenProgress& progress, std::chrono::duration<double> all, std::size_t columns) {
    const double share = std::clamp(progress.passed / all, 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(share * kBarColumns);
    auto line =
        fmt::format("[{}{}] {:.0f}/{:.0f} s  {} sent  {} failed  p50 {} ms  p99 {} ms", std::string(filled, '='),
                    std::string(kBarColumns - filled, ' '), progress.passed.count(), all.count(), progress.sent,
                    progress.failed, milliseconds(progress.p50_us), milliseconds(progress.p99_us));
    line.resize(std::min(line.size(), columns));
    return line;
}

std::string summary(const bench::OpenLoad& load, bench::OpenOutcome outcome) {
    const auto seconds = load.seconds.count();
    const auto sum = sum_of(outcome.streams);
    std::vector<cli::Row> rows;
    for (std::size_t i = 0; i < outcome.streams.size(); ++i)
        rows.push_back(row_of(load.streams[i].name, std::move(outcome.streams[i]), seconds));
    if (rows.size() > 1) rows.push_back(row_of("all", sum, seconds));
    auto text = cli::table({"request", "sent", "served/s", "p50 ms", "p90", "p99", "p99.9", "slowest", "failed"}, rows);
    std::vector<cli::Row> failures;
    const auto add = [&](const std::string& what, std::uint64_t times) {
        if (times > 0) failures.push_back({.cells = {{std::to_string(times)}, {what, cli::red()}}});
    };
    for (const auto& [what, times] : sum.failures)
        add(what, times);
    add("503 Service Unavailable", sum.refused);
    add(fmt::format("no answer within {:.0f} s", load.patience.count()), sum.given_up());
    if (!failures.empty()) text += "\n" + cli::aligned(failures);
    return text;
}

bool all_served(const bench::OpenOutcome& outcome) {
    return std::ranges::all_of(outcome.streams, [](const auto& stream) { return stream.served == stream.sent; });
}

} // namespace flotilla::load
