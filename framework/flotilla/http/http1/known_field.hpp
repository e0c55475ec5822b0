#pragma once

#include <cstdint>
#include <string_view>

namespace flotilla::http {

/// The fields the codec and the server act upon, found in one look by length and name.
enum class KnownField : std::uint8_t {
    other,
    host,
    content_length,
    transfer_encoding,
    connection,
    keep_alive,
    proxy_connection,
    upgrade,
    expect,
    te,
    date,
    traceparent,
    tracestate,
    baggage,
    flotilla_timeout,
    grpc_timeout,
    flotilla_criticality,
    flotilla_attempts,
};
inline constexpr std::size_t kKnownFields = 18;

KnownField known_field(std::string_view name);

} // namespace flotilla::http
