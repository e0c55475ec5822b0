#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/suites/fleet.hpp"

namespace flotilla::bench {

/// One of three instances fails three calls in ten, at once; then all fail all, until one recovers.
/// envoy: its program; without it is left out.
std::vector<Row> bench_flaky_instance(const Setting& setting, const std::optional<std::string>& envoy);

/// All instances of the last of three hops fail: what arrives there.
std::vector<Row> bench_retry_storm(const Setting& setting);

/// Says on stderr how many calls ended how.
void note(std::string_view when, std::string_view kind, const std::vector<CallMade>& calls);

} // namespace flotilla::bench
