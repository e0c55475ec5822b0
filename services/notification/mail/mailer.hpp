#pragma once

#include <string>

#include <flotilla/aio/context.hpp>

namespace notification {

/// Hands mails to the outside world.
class Mailer {
public:
    virtual ~Mailer() = default;
    /// `message` is RFC 5322 text. Answers when the server has taken responsibility (SMTP 250). Errors: unavailable (no
    /// server, or a temporary 4xx), invalid (refused for good, 5xx, or no address), the context's reason.
    virtual flotilla::task<flotilla::Result<void>> send(flotilla::Context& context, std::string to_address,
                                                        std::string message) = 0;
};

} // namespace notification
