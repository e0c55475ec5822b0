#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/harness/socket.hpp"

namespace flotilla::bench {

/// A mail server that takes every mail and forgets it, a thread per connection. Silent, it never says a word.
class SmtpSink {
public:
    explicit SmtpSink(bool silent = false);
    SmtpSink(const SmtpSink&) = delete;
    SmtpSink& operator=(const SmtpSink&) = delete;
    ~SmtpSink();

    std::uint16_t port() const { return port_; }
    std::uint64_t mails() const { return mails_; }

private:
    void accept_all();
    void talk(int client);

    const bool silent_;
    Socket listener_;
    std::uint16_t port_ = 0;
    std::atomic<std::uint64_t> mails_ = 0;
    std::mutex mutex_;
    std::vector<Socket> clients_;
    std::vector<std::jthread> talking_;
    std::jthread accepting_;
};

} // namespace flotilla::bench
