#pragma once

#include "services/notification/mail/mailer.hpp"

namespace notification {

/// Sends by SMTP with libcurl, away from the loop. `url`: "smtp://host:port", "smtps://..." with user:password if
/// needed.
class SmtpMailer final : public Mailer {
public:
    SmtpMailer(std::string url, std::string from_address);
    flotilla::task<flotilla::Result<void>> send(flotilla::Context& context, std::string to_address,
                                                std::string message) override;

private:
    std::string url_;
    std::string from_address_;
};

} // namespace notification
