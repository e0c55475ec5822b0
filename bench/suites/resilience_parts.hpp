#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/suites/envoy.hpp"
#include "bench/suites/fleet.hpp"

namespace flotilla::bench {

/// One of three instances fails three calls in ten, at once; then all fail all, until one recovers.
/// envoy: its program; without it is left out.
std::vector<Row> bench_flaky_instance(const Setting& setting, const std::optional<std::string>& envoy);

/// All instances of the last of three hops fail: what arrives there.
std::vector<Row> bench_retry_storm(const Setting& setting);

/// Who calls in each run, all at the same time: the stack, a bare client, and where it runs a bare client through Envoy
/// in front of the fleet's instances.
struct Callers {
    std::vector<CallerKind> kinds;
    Envoy envoy;
};
/// envoy: its program; nullopt: it is left out.
Callers start_callers(Fleet& fleet, const std::filesystem::path& folder, const std::optional<std::string>& envoy);
/// Their names, in the order of rows.
inline constexpr std::array kCallerNames{"stack", "bare", "envoy"};

/// A row about one kind of caller; only the stack has targets.
struct Figure {
    const char* unit;
    const char* peer;
    double peer_value, target;
    Wanted wanted;
};
Row row_of(std::string_view what, std::string_view kind, double ours, const Figure& figure);

} // namespace flotilla::bench
