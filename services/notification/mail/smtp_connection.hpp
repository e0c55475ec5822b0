#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "services/notification/api/notification.hpp"

namespace notification {

/// A connection to a mail server, by libcurl: made with the first mail and kept for the next ones. It blocks.
/// Thread-safety: none, but it may move between threads.
class SmtpConnection {
public:
    /// `url`: "smtp://host:port", "smtps://..." with user:password if needed.
    SmtpConnection(const std::string& url, const std::string& from_address);
    SmtpConnection(const SmtpConnection&) = delete;
    SmtpConnection& operator=(const SmtpConnection&) = delete;
    /// Takes leave of the server, and does not wait for its answer.
    ~SmtpConnection();

    /// Sends a mail of RFC 5322 text. Ends within a second once `abandoned`. After an error it is of no more use.
    /// Errors: unavailable (no server, a temporary 4xx, abandoned), invalid (refused for good: 5xx).
    Result<void> send(const std::string& to, const std::string& message, Duration timeout,
                      const std::atomic<bool>& abandoned);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace notification
