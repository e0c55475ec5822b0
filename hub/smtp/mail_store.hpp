#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/store/database.hpp>

#include "hub/smtp/smtp_session.hpp"

namespace flotilla::hub {

/// One caught mail in lists.
struct MailSummary {
    std::string id;
    std::string message_id;      ///< of the message, without its angle brackets; empty when it has none
    std::string from;            ///< the From field, decoded; the envelope's sender when there is none
    std::vector<std::string> to; ///< the envelope's recipients
    std::string subject;         ///< decoded
    std::string date;            ///< the Date field as it came
    Timestamp received_at;
    std::int64_t received; ///< how often it came: a sender that was cut off before our 250 repeats itself
    std::int64_t size;     ///< bytes
};

struct MailHeader {
    std::string name;
    std::string value; ///< decoded
};

/// One caught mail with everything.
struct MailDetail {
    std::string id, message_id, from;
    std::vector<std::string> to;
    std::string subject, date;
    Timestamp received_at;
    std::int64_t received, size;
    std::vector<MailHeader> headers;
    std::string text; ///< the body, or the first text/plain part, for reading
    std::string raw;  ///< as it came
};

struct MailStoreLimits {
    std::int64_t messages_max = 100'000;
    std::int64_t bytes_max = std::int64_t{1024} * 1024 * 1024; ///< past either, mail is refused for now
};

/// The mail catcher's mails in a SQLite file of their own: what keep() answered is durable. A mail whose Message-ID is
/// known is a repeat, and counted, when the known one has all its recipients; when it is the same but for recipients,
/// the known one gets those; otherwise it is a mail of its own. Thread-safety: none; lives on its loop.
class MailStore {
public:
    /// Opens or creates `<folder>/mail.db`. Errors: unavailable with the reason.
    static task<Result<std::unique_ptr<MailStore>>> open(Context& context, std::string folder,
                                                         MailStoreLimits limits = {});

    /// Answers the id once the mail is durable; for a known mail, that one's. Errors: exhausted (full), unavailable.
    task<Result<std::string>> keep(Context& context, IncomingMail mail);
    /// The newest `limit` mails, newest last; `to`: only those to that address (mail_address_key), empty: all.
    task<Result<std::vector<MailSummary>>> list(Context& context, std::string to, std::int64_t limit);
    task<Result<std::optional<MailDetail>>> find(Context& context, std::string id);
    /// Deletes everything. Answers how many mails there were.
    task<Result<std::int64_t>> clear(Context& context);
    Result<void> health() const { return database_->health(); }

private:
    MailStore(std::unique_ptr<Database> database, MailStoreLimits limits)
        : database_(std::move(database)), limits_(limits) {}

    std::unique_ptr<Database> database_;
    MailStoreLimits limits_;
};

} // namespace flotilla::hub
