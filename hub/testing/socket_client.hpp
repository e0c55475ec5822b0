#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flotilla::hub {

/// A blocking client socket for tests, with a limit of 20 s on every wait. Throws when something fails.
class SocketClient {
public:
    static SocketClient tcp(std::uint16_t port);
    static SocketClient unix_socket(const std::string& path);
    SocketClient(SocketClient&& other) noexcept;
    SocketClient& operator=(SocketClient&&) = delete;
    ~SocketClient();

    void send(std::string_view bytes);
    /// At least one byte; empty when the peer has closed or reset.
    std::string receive();
    /// Everything up to the end.
    std::string receive_all();
    /// The next line, with its CRLF; what is left when the peer closes.
    std::string line();
    void shutdown_write();
    /// Whether bytes have arrived, without waiting.
    bool readable() const;

private:
    explicit SocketClient(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
    std::string buffer_;
};

} // namespace flotilla::hub
