#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <flotilla/base/duration.hpp>

namespace flotilla::hub::consul {

/// Durations as Consul's clients write and read them (Go's time.ParseDuration and Duration.String):
/// "300ms", "1.5h", "2h45m", "-1m"; back as "5m0s", "1h0m0s", "1.5s", "250ms", "0s".
std::optional<Duration> parse_go_duration(std::string_view text);
std::string go_text(Duration duration);

} // namespace flotilla::hub::consul
