// The trivial backend behind the gateways: answers whatever arrives on a keep-alive connection with the same 150 bytes.
// Requests have no body and arrive whole, as gateways send them; nothing is checked.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bench/harness/socket.hpp"

namespace {

using flotilla::bench::loopback;
using flotilla::bench::Socket;

constexpr std::size_t kBodyBytes = 150;

int serve(std::uint16_t port) {
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(kBodyBytes) +
        "\r\n\r\n\"" + std::string(kBodyBytes - 2, 'x') + "\"";
    const Socket listener(::socket(AF_INET, SOCK_STREAM, 0));
    const int yes = 1;
    ::setsockopt(listener.descriptor(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const sockaddr_in address = loopback(port);
    if (::bind(listener.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.descriptor(), SOMAXCONN) != 0) {
        std::perror("bench-backend");
        return 1;
    }
    const Socket epoll(::epoll_create1(0));
    const auto watch = [&epoll](int descriptor) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
        return ::epoll_ctl(epoll.descriptor(), EPOLL_CTL_ADD, descriptor, &event);
    };
    if (watch(listener.descriptor()) != 0) return 1;
    std::array<epoll_event, 256> events{};
    std::array<char, 16 * 1024> buffer{};
    while (true) {
        const int ready = ::epoll_wait(epoll.descriptor(), events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < ready; ++i) {
            const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
            if (descriptor == listener.descriptor()) {
                const int accepted = ::accept(descriptor, nullptr, nullptr);
                if (accepted >= 0 && watch(accepted) != 0) ::close(accepted);
                continue;
            }
            const auto size = ::recv(descriptor, buffer.data(), buffer.size(), 0);
            if (size <= 0) {
                ::close(descriptor);
            } else if (std::string_view(buffer.data(), static_cast<std::size_t>(size)).ends_with("\r\n\r\n")) {
                if (::send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) ::close(descriptor);
            }
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: bench-backend PORT\n", stderr);
        return 2;
    }
    return serve(static_cast<std::uint16_t>(std::atoi(argv[1])));
}
