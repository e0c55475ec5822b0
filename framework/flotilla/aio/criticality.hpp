#pragma once

#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// How much depends on a piece of work. Who has too much to do refuses what is sheddable first and what is critical
/// last.
enum class Criticality : unsigned char {
    sheddable, ///< nobody misses it for a while: prefetching, batch work, recommendations
    normal,
    critical, ///< money, or a person, waits for it
};
inline constexpr std::size_t kCriticalities = 3;

/// "sheddable", "normal", "critical": as header fields, configuration and metrics have it.
std::string_view name(Criticality criticality);
/// Exactly one of those names. Errors: invalid, with what was found and what may stand there.
Result<Criticality> parse_criticality(std::string_view text);

} // namespace flotilla
