#include "hub/testing/socket_client.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// The implementation of the client, in a file that only the test binary gets.

namespace flotilla::hub {

namespace {

[[noreturn]] void fail(const char* what) { throw std::runtime_error(std::string(what) + ": " + std::strerror(errno)); }

int open_socket(int family, const sockaddr* address, socklen_t size) {
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket");
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(descriptor, address, size) != 0) {
        const int reason = errno;
        ::close(descriptor);
        errno = reason;
        fail("connect");
    }
    return descriptor;
}

} // namespace

SocketClient SocketClient::tcp(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return SocketClient(open_socket(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

SocketClient SocketClient::unix_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the socket's path is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    return SocketClient(open_socket(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

SocketClient::SocketClient(SocketClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), buffer_(std::move(other.buffer_)) {}

SocketClient::~SocketClient() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void SocketClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) fail("send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string SocketClient::receive() {
    if (!buffer_.empty()) return std::exchange(buffer_, {});
    std::string bytes(64 * 1024, '\0');
    const ssize_t count = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    if (count < 0 && errno != ECONNRESET) fail("receive");
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
}

std::string SocketClient::receive_all() {
    std::string all;
    for (;;) {
        const std::string piece = receive();
        if (piece.empty()) return all;
        all += piece;
    }
}

std::string SocketClient::line() {
    std::string line;
    for (;;) {
        const std::string piece = receive();
        line += piece;
        const std::size_t end = line.find("\r\n");
        if (end != std::string::npos) {
            buffer_ = line.substr(end + 2);
            line.resize(end + 2);
            return line;
        }
        if (piece.empty()) return line;
    }
}

void SocketClient::shutdown_write() { ::shutdown(descriptor_, SHUT_WR); }

bool SocketClient::readable() const {
    if (!buffer_.empty()) return true;
    pollfd wanted{.fd = descriptor_, .events = POLLIN, .revents = 0};
    return ::poll(&wanted, 1, 0) > 0;
}

} // namespace flotilla::hub
