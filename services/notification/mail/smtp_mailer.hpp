#pragma once

#include <memory>

#include <flotilla/aio/blocking_pool.hpp>

#include "services/notification/mail/mailer.hpp"

namespace notification {

/// Sends by SMTP on threads of its own, so that a slow mail server holds nothing else up: up to kConnectionsMax mails
/// at a time, each over a connection that is kept for the next one and closed when there is none for kIdle. `url`: see
/// SmtpConnection. Thread-safety: none; belongs to the loop of `world`.
class SmtpMailer final : public Mailer {
public:
    /// What mail servers let one client have at least.
    static constexpr std::size_t kConnectionsMax = 16;
    static constexpr flotilla::Duration kIdle = std::chrono::seconds(5);

    SmtpMailer(flotilla::World& world, std::string url, std::string from_address);
    ~SmtpMailer() override;
    flotilla::task<flotilla::Result<void>> send(flotilla::Context& context, std::string to_address,
                                                std::string message) override;

private:
    struct Connections;
    void close_idle_later();

    flotilla::World& world_;
    std::shared_ptr<Connections> connections_; ///< shared with the threads
    flotilla::Timer idle_timer_;
    flotilla::BlockingPool threads_; ///< last: its destructor ends what uses the others
};

} // namespace notification
