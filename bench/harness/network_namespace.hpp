#pragma once

#include <string>

namespace flotilla::bench {

/// A network of this process alone and of those it starts meanwhile: loopback only. In it an address can be made to
/// swallow what is sent to it, as a machine does whose power has gone. Needs root and `ip` (Debian's iproute2).
/// Requires: the process has one thread.
class NetworkNamespace {
public:
    /// Whether this process may have one.
    static bool possible();

    /// Throws std::runtime_error when it cannot be had.
    NetworkNamespace();
    NetworkNamespace(const NetworkNamespace&) = delete;
    NetworkNamespace& operator=(const NetworkNamespace&) = delete;
    /// Returns to the network of before.
    ~NetworkNamespace();

    /// Adds an address to loopback.
    void add_address(const std::string& address);
    /// From now on packets to the address are dropped, those of open connections included, and nobody hears of it.
    void swallow(const std::string& address);

private:
    int before_ = -1;
};

} // namespace flotilla::bench
