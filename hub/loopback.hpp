#pragma once

#include <flotilla/aio/world.hpp>

namespace flotilla::hub {

/// Whether only this machine can reach a listener there: 127.0.0.0/8, ::1, "localhost", a Unix socket.
inline bool is_loopback(const Address& address) {
    return address.is_unix() || address.host.starts_with("127.") || address.host == "::1" ||
           address.host == "localhost";
}

} // namespace flotilla::hub
