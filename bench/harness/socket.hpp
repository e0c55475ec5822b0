#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flotilla::bench {

/// 127.0.0.1 and a port.
sockaddr_in loopback(std::uint16_t port);

/// An open socket.
class Socket {
public:
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Socket();

    /// A blocking connection to 127.0.0.1, without Nagle's delay; nullopt when refused.
    static std::optional<Socket> connect(std::uint16_t port);
    int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

struct HttpAnswer {
    int status = 0; ///< 0: there is no answer
    std::string body;
};
/// One HTTP exchange on a connection of its own. `fields`: further header lines, each with its CRLF.
HttpAnswer http_exchange(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body = {},
                         std::string_view fields = {});

/// Only the status of one, or 0 when there is no answer.
int http_status(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body = {});

} // namespace flotilla::bench
