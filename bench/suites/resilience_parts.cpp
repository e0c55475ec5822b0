#include "bench/suites/resilience_parts.hpp"

#include <fmt/format.h>

namespace flotilla::bench {

Callers start_callers(Fleet& fleet, const std::filesystem::path& folder, const std::optional<std::string>& envoy) {
    Callers callers{.kinds = {{.name = "stack"}, {.name = "bare", .arguments = {"--bare"}}}, .envoy = {}};
    if (envoy) {
        callers.envoy = start_envoy(*envoy, folder, fleet.addresses());
        callers.kinds.push_back(
            {.name = "envoy", .arguments = {"--bare", "--path", "envoy"}, .address = callers.envoy.address});
    }
    for (const auto& kind : callers.kinds)
        fleet.call(kind);
    return callers;
}

Row row_of(std::string_view what, std::string_view kind, double ours, const Figure& figure) {
    return {.bench = "resilience",
            .what = fmt::format("{}, {}", what, kind),
            .ours = ours,
            .unit = figure.unit,
            .peer = figure.peer,
            .peer_value = figure.peer_value,
            .target = kind == "stack" ? std::optional(figure.target) : std::nullopt,
            .wanted = figure.wanted};
}

} // namespace flotilla::bench
