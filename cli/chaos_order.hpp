#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla::cli {

/// What can be done to a running fleet.
enum class ChaosAction : unsigned char { kill, stop, slow, fail, cut, heal };

/// One of them, and to whom.
struct ChaosOrder {
    ChaosAction action{};
    std::vector<std::string> members; ///< to whom; the one of kill, stop, slow and fail; those that cannot reach `from`
    std::int64_t amount = 0;          ///< slow: milliseconds; fail: percent
    std::vector<std::string> from;    ///< cut: the members that are not reached
};

/// What stands behind `chaos`, for --help.
inline constexpr std::string_view kChaosHelp =
    "kill INSTANCE | stop INSTANCE | slow INSTANCE MS | fail INSTANCE PERCENT | cut A B (A does not reach B) | "
    "heal [INSTANCE]; none: show what has been done";

/// The service of a member: "order-service" of "order-service.2".
std::string_view service_of(std::string_view member);

/// Reads the words behind `chaos` for a fleet of these members. A service stands for its one instance, and for all of
/// them with cut and heal. Errors: invalid, when it is not understood, with the nearest valid word; not_found, when the
/// fleet has no such instance.
Result<ChaosOrder> read_chaos_order(const std::vector<std::string>& words, const std::vector<std::string>& members);

} // namespace flotilla::cli
