#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <flotilla/store/database.hpp>

#include "hub/smtp/smtp_session.hpp"

namespace flotilla::hub {

class RecentMails;

/// One caught mail in lists.
struct MailSummary {
    std::string id;
    // Of each of these the first 1000 bytes; from and subject in UTF-8.
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
    std::string raw;  ///< as text, for reading: what is no UTF-8 cannot be in JSON; MailStore::raw() has the bytes
};

struct MailStoreLimits {
    std::int64_t messages_max = 2'000'000;
    std::int64_t bytes_max = std::int64_t{1024} * 1024 * 1024; ///< past either, mail is refused for now
};

/// Which mails to list.
struct MailQuery {
    std::string to = {};      ///< only those to that address, without case; empty: all
    std::int64_t limit = 100; ///< the newest so many
    std::string before = {};  ///< only those that came before the one with this id; empty: all
};

/// The mail catcher's mails in a SQLite file of their own: what keep() answered is durable. Mails that arrive while a
/// commit is under way share the next one. A mail with the content of a known one (see mail_fingerprint) is a repeat,
/// and counted, when the known one has all its recipients, else the known one gets those; every other mail is a mail of
/// its own, whatever its Message-ID. Repeats are known among the newest 65,536 mails. What a mail costs does not grow
/// with what is kept.
/// Thread-safety: none; lives on its loop.
class MailStore {
public:
    /// Opens or creates `<folder>/mail.db`. Errors: unavailable with the reason.
    static task<Result<std::unique_ptr<MailStore>>> open(Context& context, std::string folder,
                                                         MailStoreLimits limits = {});

    /// Answers the id once the mail is durable; for a known mail, that one's. Errors: exhausted (full), unavailable.
    task<Result<std::string>> keep(Context& context, IncomingMail mail);
    /// Newest last. Errors: not_found mail_not_found (`before`), unavailable.
    task<Result<std::vector<MailSummary>>> list(Context& context, MailQuery query);
    task<Result<std::optional<MailDetail>>> find(Context& context, std::string id);
    /// A mail's bytes as they came.
    task<Result<std::optional<std::string>>> raw(Context& context, std::string id);
    /// Deletes everything. Answers how many mails there were.
    task<Result<std::int64_t>> clear(Context& context);
    Result<void> health() const { return database_->health(); }

    /// All it asks of its file, and how that came to be: for tests.
    static std::span<const std::string_view> statements();
    static std::span<const Migration> migrations();

private:
    MailStore(std::unique_ptr<Database> database, MailStoreLimits limits);

    std::shared_ptr<RecentMails> recent_; ///< the transactions'
    std::unique_ptr<Database> database_;
    MailStoreLimits limits_;
};

} // namespace flotilla::hub
