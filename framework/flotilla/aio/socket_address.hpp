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
/// TCP_NODELAY for TCP; nothing for Unix sockets.
void set_no_delay(int fd, int family);

} // namespace flotilla::detail
