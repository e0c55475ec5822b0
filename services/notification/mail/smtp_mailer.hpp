#pragma once

#include <memory>

#include <flotilla/aio/blocking_pool.hpp>
#include <flotilla/aio/context.hpp>

#include "services/notification/api/notification.hpp"

namespace notification {

/// Sends by SMTP on threads of its own, so that a slow mail server holds nothing else up: up to kConnectionsMax mails
/// at a time, each over a connection that is kept for the next one and closed when there is none for kIdle. `url`: see
/// SmtpConnection. Thread-safety: none; belongs to the loop of `world`.
class SmtpMailer {
public:
    /// What mail servers let one client have at least.
    static constexpr std::size_t kConnectionsMax = 16;
    static constexpr Duration kIdle = std::chrono::seconds(5);

    SmtpMailer(World& world, std::string url, std::string from_address);
    ~SmtpMailer();
    /// `message` is RFC 5322 text. Answers when the server has taken responsibility (SMTP 250). Errors: unavailable (no
    /// server, or a temporary 4xx), invalid (refused for good, 5xx, or no address), the context's reason.
    task<Result<void>> send(Context& context, std::string to_address, std::string message);

private:
    struct Connections;
    void close_idle_later();

    World& world_;
    std::shared_ptr<Connections> connections_; ///< shared with the threads
    Timer idle_timer_;
    BlockingPool threads_; ///< last: its destructor ends what uses the others
};

} // namespace notification
