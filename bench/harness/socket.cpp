#include "bench/harness/socket.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace flotilla::bench {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

Socket::~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<Socket> Socket::connect(std::uint16_t port) {
    Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    if (::connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    const int yes = 1;
    ::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return socket;
}

HttpAnswer http_exchange(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body,
                         std::string_view fields) {
    const auto socket = Socket::connect(port);
    if (!socket) return {};
    std::string request = std::string(method) + " " + std::string(path) +
                          " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\nConnection: close\r\n" +
                          std::string(fields);
    if (!body.empty()) {
        request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    }
    request += "\r\n" + std::string(body);
    if (::send(socket->descriptor(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
        return {};
    }
    std::string answer;
    std::array<char, 16 * 1024> buffer{};
    for (ssize_t size = 1; size > 0;) {
        size = ::recv(socket->descriptor(), buffer.data(), buffer.size(), 0);
        if (size > 0) answer.append(buffer.data(), static_cast<std::size_t>(size));
    }
    const auto head = answer.find("\r\n\r\n");
    if (head == std::string::npos) return {};
    return {std::atoi(answer.substr(9, 3).c_str()), answer.substr(head + 4)}; // "HTTP/1.1 200"
}

int http_status(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body) {
    return http_exchange(port, method, path, body).status;
}

} // namespace flotilla::bench
