#include "hub/smtp/mail_store.hpp"

#include <algorithm>

#include <flotilla/base/mail_address.hpp>

#include "hub/smtp/mime.hpp"

namespace flotilla::hub {

namespace {

constexpr Migration kMigrations[] = {{1, "0001_create_mails", R"sql(
CREATE TABLE mails (
    id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    date_field TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    received BIGINT NOT NULL,
    size BIGINT NOT NULL,
    raw TEXT NOT NULL
);
CREATE UNIQUE INDEX mails_by_message_id ON mails (message_id) WHERE message_id <> '';
CREATE INDEX mails_by_time ON mails (received_at, id);
CREATE TABLE mail_recipients (
    address TEXT NOT NULL,
    mail TEXT NOT NULL,
    PRIMARY KEY (address, mail)
);
CREATE TABLE mail_totals (
    id BIGINT PRIMARY KEY,
    mails BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);
INSERT INTO mail_totals (id, mails, bytes) VALUES (1, 0, 0);
)sql"},
                                     // Mails that differ may share a Message-ID.
                                     {2, "0002_message_ids_repeat", R"sql(
DROP INDEX mails_by_message_id;
CREATE INDEX mails_by_message_id ON mails (message_id);
)sql"}};

struct MailRow {
    std::string id, message_id, sender;
    std::vector<std::string> recipients;
    std::string subject, date_field;
    Timestamp received_at;
    std::int64_t received, size;
};

struct RawRow {
    std::string id, message_id, sender;
    std::vector<std::string> recipients;
    std::string subject, date_field;
    Timestamp received_at;
    std::int64_t received, size;
    std::string raw;
};

struct KnownMail {
    std::string id;
    std::vector<std::string> recipients;
    bool same_content;
};

struct Totals {
    std::int64_t mails, bytes;
};

/// As recipients were once indexed.
std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

std::string without_brackets(std::string_view message_id) {
    if (message_id.starts_with('<') && message_id.ends_with('>'))
        message_id = message_id.substr(1, message_id.size() - 2);
    return std::string(message_id);
}

/// What is read from a mail's own header fields.
struct Heading {
    std::string message_id, from, subject, date;
};

Heading describe(const IncomingMail& mail) {
    const ParsedMail parsed = parse_mail(mail.data);
    const std::string_view from = parsed.field("From");
    return {without_brackets(parsed.field("Message-ID")), from.empty() ? mail.sender : decode_header(from),
            decode_header(parsed.field("Subject")), std::string(parsed.field("Date"))};
}

bool includes(const std::vector<std::string>& recipients, const std::string& address) {
    const auto key = mail_address_key(address);
    return std::ranges::any_of(recipients, [&](const auto& each) { return mail_address_key(each) == key; });
}

Result<void> index_recipients(Transaction& transaction, const std::vector<std::string>& recipients,
                              const std::string& id) {
    for (const std::string& recipient : recipients) {
        auto added =
            transaction.execute("INSERT INTO mail_recipients (address, mail) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                                mail_address_key(recipient), id);
        if (!added) return std::move(added.error());
    }
    return {};
}

Result<std::string> count_repeat(Transaction& transaction, std::string id) {
    auto counted = transaction.execute("UPDATE mails SET received = received + 1 WHERE id = $1", id);
    if (!counted) return std::move(counted.error());
    return id;
}

Result<std::string> add_recipients(Transaction& transaction, KnownMail known, const IncomingMail& mail) {
    for (const std::string& recipient : mail.recipients) {
        if (!includes(known.recipients, recipient)) known.recipients.push_back(recipient);
    }
    auto updated = transaction.execute("UPDATE mails SET recipients = $1 WHERE id = $2", known.recipients, known.id);
    if (!updated) return std::move(updated.error());
    auto indexed = index_recipients(transaction, mail.recipients, known.id);
    if (!indexed) return std::move(indexed.error());
    return std::move(known.id);
}

/// The id of a mail with that Message-ID that stands for this one, too; nullopt: it is another mail.
Result<std::optional<std::string>> merge(Transaction& transaction, const IncomingMail& mail,
                                         const std::string& message_id) {
    auto known = transaction.select<KnownMail>(
        "SELECT id, recipients, size = $2 AND raw = $3 AS same_content FROM mails WHERE message_id = $1 "
        "ORDER BY same_content DESC, received_at, id",
        message_id, static_cast<std::int64_t>(mail.data.size()), mail.data);
    if (!known) return std::move(known.error());
    const auto repeated = std::ranges::find_if(*known, [&](const KnownMail& each) {
        return std::ranges::all_of(mail.recipients,
                                   [&](const auto& address) { return includes(each.recipients, address); });
    });
    Result<std::string> id = std::string();
    if (repeated != known->end()) {
        id = count_repeat(transaction, repeated->id);
    } else if (!known->empty() && known->front().same_content) {
        id = add_recipients(transaction, std::move(known->front()), mail);
    } else {
        return std::optional<std::string>();
    }
    if (!id) return std::move(id.error());
    return std::optional(std::move(*id));
}

Result<std::string> insert(Transaction& transaction, const IncomingMail& mail, const Heading& described,
                           const MailStoreLimits& limits) {
    if (!described.message_id.empty()) {
        auto known = merge(transaction, mail, described.message_id);
        if (!known) return std::move(known.error());
        if (*known) return std::move(**known);
    }
    const auto size = static_cast<std::int64_t>(mail.data.size());
    auto totals = transaction.find<Totals>("SELECT mails, bytes FROM mail_totals WHERE id = 1");
    if (!totals) return std::move(totals.error());
    if ((*totals)->mails >= limits.messages_max || (*totals)->bytes + size > limits.bytes_max) {
        return Error(Kind::exhausted, "mailbox_full", "the mail catcher is full: DELETE /mail/messages empties it");
    }
    std::string id = transaction.new_id();
    auto inserted = transaction.execute(
        "INSERT INTO mails (id, message_id, sender, recipients, subject, date_field, received_at, received, size, raw) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9)",
        id, described.message_id, described.from, mail.recipients, described.subject, described.date, transaction.now(),
        size, mail.data);
    if (!inserted) return std::move(inserted.error());
    auto indexed = index_recipients(transaction, mail.recipients, id);
    if (!indexed) return std::move(indexed.error());
    auto summed =
        transaction.execute("UPDATE mail_totals SET mails = mails + 1, bytes = bytes + $1 WHERE id = 1", size);
    if (!summed) return std::move(summed.error());
    return id;
}

MailSummary to_summary(MailRow row) {
    return {std::move(row.id),
            std::move(row.message_id),
            std::move(row.sender),
            std::move(row.recipients),
            std::move(row.subject),
            std::move(row.date_field),
            row.received_at,
            row.received,
            row.size};
}

MailDetail to_detail(RawRow row) {
    const ParsedMail parsed = parse_mail(row.raw);
    MailDetail detail{std::move(row.id),
                      std::move(row.message_id),
                      std::move(row.sender),
                      std::move(row.recipients),
                      std::move(row.subject),
                      std::move(row.date_field),
                      row.received_at,
                      row.received,
                      row.size,
                      {},
                      readable_text(parsed),
                      {}};
    for (const auto& [name, value] : parsed.fields)
        detail.headers.push_back({name, decode_header(value)});
    detail.raw = std::move(row.raw);
    return detail;
}

} // namespace

task<Result<std::unique_ptr<MailStore>>> MailStore::open(Context& context, std::string folder, MailStoreLimits limits) {
    auto database = open_database(context.world(), sqlite_url(folder + "/mail.db"), "hub-mail");
    if (!database) co_return std::move(database.error());
    co_await must((*database)->migrate(context, "mail", kMigrations));
    co_return std::unique_ptr<MailStore>(new MailStore(std::move(*database), limits));
}

task<Result<std::string>> MailStore::keep(Context& context, IncomingMail mail) {
    const Heading described = describe(mail);
    co_return co_await database_->transact(
        context, [mail = std::move(mail), described, limits = limits_](Transaction& transaction) {
            return insert(transaction, mail, described, limits);
        });
}

task<Result<std::vector<MailSummary>>> MailStore::list(Context& context, std::string to, std::int64_t limit) {
    constexpr std::string_view kColumns =
        "SELECT id, message_id, sender, recipients, subject, date_field, received_at, received, size FROM mails ";
    std::vector<MailRow> rows;
    if (to.empty()) {
        rows = co_await must(database_->select<MailRow>(
            context, std::string(kColumns) + "ORDER BY received_at DESC, id DESC LIMIT $1", limit));
    } else {
        rows = co_await must(database_->select<MailRow>(context,
                                                        std::string(kColumns) +
                                                            "WHERE id IN (SELECT mail FROM mail_recipients WHERE "
                                                            "address IN ($1, $2)) ORDER BY received_at DESC, id DESC "
                                                            "LIMIT $3",
                                                        mail_address_key(to), lower(to), limit));
    }
    std::vector<MailSummary> mails;
    mails.reserve(rows.size());
    for (auto row = rows.rbegin(); row != rows.rend(); ++row)
        mails.push_back(to_summary(std::move(*row)));
    co_return mails;
}

task<Result<std::optional<MailDetail>>> MailStore::find(Context& context, std::string id) {
    auto row = co_await must(database_->find<RawRow>(context,
                                                     "SELECT id, message_id, sender, recipients, subject, date_field, "
                                                     "received_at, received, size, raw FROM mails WHERE id = $1",
                                                     std::move(id)));
    if (!row) co_return std::optional<MailDetail>();
    co_return to_detail(std::move(*row));
}

task<Result<std::int64_t>> MailStore::clear(Context& context) {
    co_return co_await database_->transact(context, [](Transaction& transaction) -> Result<std::int64_t> {
        auto recipients = transaction.execute("DELETE FROM mail_recipients");
        if (!recipients) return recipients;
        auto totals = transaction.execute("UPDATE mail_totals SET mails = 0, bytes = 0 WHERE id = 1");
        if (!totals) return totals;
        return transaction.execute("DELETE FROM mails");
    });
}

} // namespace flotilla::hub
