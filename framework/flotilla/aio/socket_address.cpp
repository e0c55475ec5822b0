#include <flotilla/aio/socket_address.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

namespace flotilla::detail {

namespace {

Result<SocketAddress> unix_address(const std::string& path) {
    SocketAddress result;
    auto& un = reinterpret_cast<sockaddr_un&>(result.storage);
    if (path.size() >= sizeof(un.sun_path)) {
        return Error(Kind::invalid,
                     fmt::format("the Unix socket path {} is longer than {} bytes", path, sizeof(un.sun_path) - 1));
    }
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path.c_str(), path.size() + 1);
    result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return result;
}

std::string numeric_text(int family, const void* bytes) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family, bytes, text.data(), text.size());
    return text.data();
}

} // namespace

Error system_error(Kind kind, std::string_view doing, int error_number) {
    return {kind, fmt::format("{}: {}", doing, std::generic_category().message(error_number))};
}

Result<SocketAddress> numeric_address(const Address& address) {
    if (address.is_unix()) return unix_address(address.path);
    SocketAddress result;
    auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
    if (::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(address.port);
        result.length = sizeof(sockaddr_in);
        return result;
    }
    auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage);
    if (::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(address.port);
        result.length = sizeof(sockaddr_in6);
        return result;
    }
    return Error(Kind::invalid, fmt::format("{} is not a numeric address", address.to_string()));
}

Result<std::vector<SocketAddress>> look_up(const Address& address) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
    if (failure != 0) {
        const std::string reason =
            failure == EAI_SYSTEM ? std::generic_category().message(errno) : ::gai_strerror(failure);
        return Error(Kind::unavailable, fmt::format("cannot look up {}: {}", address.host, reason));
    }
    std::vector<SocketAddress> addresses;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        SocketAddress& added = addresses.emplace_back();
        added.length = each->ai_addrlen;
        std::memcpy(&added.storage, each->ai_addr, each->ai_addrlen);
    }
    ::freeaddrinfo(found);
    return addresses;
}

Address from_socket(const SocketAddress& address) {
    if (address.family() == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
        return Address::tcp(numeric_text(AF_INET, &v4.sin_addr), ntohs(v4.sin_port));
    }
    if (address.family() == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            return Address::tcp(numeric_text(AF_INET, &v6.sin6_addr.s6_addr[12]), ntohs(v6.sin6_port));
        }
        return Address::tcp(numeric_text(AF_INET6, &v6.sin6_addr), ntohs(v6.sin6_port));
    }
    // A connecting Unix socket has no path: "unix:".
    const auto& un = reinterpret_cast<const sockaddr_un&>(address.storage);
    constexpr std::size_t kHeader = offsetof(sockaddr_un, sun_path);
    if (address.length <= kHeader) return {};
    return Address::unix_socket(std::string(un.sun_path, ::strnlen(un.sun_path, address.length - kHeader)));
}

Result<int> open_socket(int family) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return system_error(Kind::unavailable, "cannot open a socket", errno);
    return fd;
}

void set_tcp_options(int fd, int family, Side side) {
    if (family == AF_UNIX) return;
    // None of them fails on a TCP socket, and a connection without one of them still serves.
    const auto set = [fd](int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof(value)); };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
    set(IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
    if (side == Side::client) set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMillisecondsMax);
}

} // namespace flotilla::detail
