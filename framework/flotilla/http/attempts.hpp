#pragma once

#include <cstdint>

#include <flotilla/aio/context.hpp>

namespace flotilla::http {

/// How many tries of a request were spent before the one that brought it here, summed over all hops above. Hangs on
/// the context of a request that is not the first try everywhere (`flotilla-attempts`); calls made for it count them as
/// tries of their own, so that tries do not multiply along a chain.
struct AttemptsSpent {
    std::uint32_t count = 0;
};

/// 0: the request, or work that no request asked for, is the first try.
inline std::uint32_t attempts_spent(const Context& context) {
    const auto* spent = context.carried<AttemptsSpent>();
    return spent == nullptr ? 0 : spent->count;
}

/// For who does not believe what a client says of that: it is the first try.
inline void forget_attempts(Context& context) {
    if (auto* spent = context.carried<AttemptsSpent>()) spent->count = 0;
}

} // namespace flotilla::http
