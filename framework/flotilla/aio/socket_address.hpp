#pragma once

#include <string_view>
#include <vector>

#include <sys/socket.h>

#include <flotilla/aio/world.hpp>

namespace flotilla::detail {

/// An address as the socket calls want it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);

    int family() const { return storage.ss_family; }
    sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// `doing`: "cannot connect to 127.0.0.1:80" and the like; the text of errno follows.
Error system_error(Kind kind, std::string_view doing, int error_number);

/// A Unix socket path, or a numeric IPv4 or IPv6 host. Errors: invalid (path too long, a name instead of a number).
Result<SocketAddress> numeric_address(const Address& address);
/// Looks a host name up; blocks. Errors: unavailable.
Result<std::vector<SocketAddress>> look_up(const Address& address);
/// IPv4 addresses inside IPv6 ones (dual-stack listeners) come out as IPv4.
Address from_socket(const SocketAddress& address);

/// A new non-blocking stream socket. Errors: unavailable.
Result<int> open_socket(int family);
/// Who opened a connection. What a listener is set to, the connections that it accepts inherit.
enum class Side : unsigned char { client, server };

/// No delay for small writes, and a peer that vanished without a word is noticed; see the values. For TCP; nothing for
/// Unix sockets, whose peer cannot.
void set_tcp_options(int fd, int family, Side side);

/// A connection on which nothing has come for so long is probed, so often, and given up after as many probes without
/// an answer: 10 s in all. Where a fleet lives no connection is silent for long that is in use, and a restart of a
/// switch takes less. A probe is one packet of 66 bytes.
inline constexpr int kKeepAliveIdleSeconds = 4;
inline constexpr int kKeepAliveIntervalSeconds = 2;
inline constexpr int kKeepAliveProbes = 3;
/// For clients: what was sent and is not acknowledged for so long ends the connection, where the kernel would repeat it
/// for a quarter of an hour (five repeats fit). Linux counts a peer that takes nothing for so long alike, alive or not.
/// A server of ours has stopped then. A client that reads slowly may be well: servers do without, and the time that
/// they allow for one write counts (http::ServerOptions::write_timeout).
inline constexpr int kUnacknowledgedMillisecondsMax = 10'000;

} // namespace flotilla::detail
