#pragma once

#include <cstdint>
#include <optional>

#include <flotilla/http/message.hpp>

namespace flotilla {

/// What the request prefers (RFC 7240), hung on its context (Carried<Preferences>) where its endpoint may heed it.
struct Preferences {
    std::optional<std::uint32_t> wait_s; ///< of `Prefer: wait=N`
};

/// A preference that is no such thing is one that nobody has: it is not honoured, and the answer does not say so.
Preferences preferences_of(const http::Headers& headers);

} // namespace flotilla
