#include "bench/suites/smtp_sink.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>
#include <string>

namespace flotilla::bench {
namespace {

bool say(int client, std::string_view reply) {
    return ::send(client, reply.data(), reply.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(reply.size());
}

} // namespace

SmtpSink::SmtpSink(bool silent) : silent_(silent), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.descriptor(), generic, size) != 0 || ::listen(listener_.descriptor(), 64) != 0 ||
        ::getsockname(listener_.descriptor(), generic, &size) != 0) {
        throw std::runtime_error("the mail server of the benchmark cannot listen");
    }
    port_ = ntohs(address.sin_port);
    accepting_ = std::jthread([this] { accept_all(); });
}

SmtpSink::~SmtpSink() {
    ::shutdown(listener_.descriptor(), SHUT_RDWR);
    accepting_.join();
    const std::lock_guard lock(mutex_);
    for (const auto& client : clients_)
        ::shutdown(client.descriptor(), SHUT_RDWR);
    talking_.clear(); // joins
}

void SmtpSink::accept_all() {
    while (true) {
        const int client = ::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        const int yes = 1;
        ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        const std::lock_guard lock(mutex_);
        clients_.emplace_back(client);
        if (!silent_) talking_.emplace_back([this, client] { talk(client); });
    }
}

void SmtpSink::talk(int client) {
    std::array<char, 16 * 1024> buffer{};
    std::string received;
    bool in_message = false;
    say(client, "220 sink\r\n");
    while (true) {
        const auto end = received.find(in_message ? "\r\n.\r\n" : "\r\n");
        if (end == std::string::npos) {
            const auto bytes = ::recv(client, buffer.data(), buffer.size(), 0);
            if (bytes <= 0) return;
            received.append(buffer.data(), static_cast<std::size_t>(bytes));
            continue;
        }
        const bool message = std::exchange(in_message, !in_message && received.starts_with("DATA"));
        received.erase(0, end + (message ? 5 : 2));
        if (message) ++mails_;
        if (!say(client, in_message ? "354 go on\r\n" : "250 fine\r\n")) return;
    }
}

} // namespace flotilla::bench
