#include "hub/smtp/mail_store.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <flotilla/aio/offload.hpp>
#include <flotilla/base/mail_address.hpp>
#include <flotilla/base/text.hpp>

#include "hub/smtp/mail_fingerprint.hpp"
#include "hub/smtp/mail_path.hpp"
#include "hub/smtp/mime.hpp"
#include "hub/smtp/recent_mails.hpp"

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
)sql"},
                                     // Numbered as they came: newest first without an index of its own, and the
                                     // newest one knows how many there are and how large. A mail touches the last
                                     // pages only, however many there are: addresses are in order within blocks of
                                     // 4096 mails (kBlockMails), and ids begin with the time.
                                     {3, "0003_number_mails", R"sql(
CREATE TABLE numbered_mails (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    date_field TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    received BIGINT NOT NULL,
    size BIGINT NOT NULL,
    bytes_through BIGINT NOT NULL,
    raw TEXT NOT NULL
);
INSERT INTO numbered_mails
    SELECT m.rowid, m.id, '', m.message_id, m.sender, m.recipients, m.subject, m.date_field, m.received_at, m.received,
           m.size, t.bytes_through, m.raw
    FROM (SELECT rowid AS number, sum(size) OVER (ORDER BY rowid) AS bytes_through FROM mails) t
    JOIN mails m ON m.rowid = t.number;
CREATE TABLE numbered_recipients (
    block INTEGER NOT NULL,
    address TEXT NOT NULL,
    mail INTEGER NOT NULL,
    PRIMARY KEY (block, address, mail)
) WITHOUT ROWID;
INSERT INTO numbered_recipients
    SELECT m.rowid / 4096, r.address, m.rowid FROM mail_recipients r JOIN mails m ON m.id = r.mail;
DROP TABLE mail_totals;
DROP TABLE mail_recipients;
DROP TABLE mails;
ALTER TABLE numbered_mails RENAME TO mails;
ALTER TABLE numbered_recipients RENAME TO mail_recipients;
CREATE INDEX mails_by_id ON mails (id, fingerprint);
)sql"}};

/// Everything that is asked of the file. A test looks at the plan of each.
namespace sql {
constexpr std::string_view kFindSame =
    "SELECT number, id, recipients FROM mails WHERE number = $1 AND fingerprint = $2";
constexpr std::string_view kNewest = "SELECT number, fingerprint FROM mails ORDER BY id DESC LIMIT $1";
constexpr std::string_view kCountRepeat = "UPDATE mails SET received = received + 1 WHERE number = $1";
constexpr std::string_view kSetRecipients = "UPDATE mails SET recipients = $2 WHERE number = $1";
constexpr std::string_view kAddRecipient =
    "INSERT INTO mail_recipients (block, address, mail) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
constexpr std::string_view kTotals = "SELECT number, bytes_through FROM mails ORDER BY number DESC LIMIT 1";
constexpr std::string_view kInsert =
    "INSERT INTO mails (number, id, fingerprint, message_id, sender, recipients, subject, date_field, received_at, "
    "received, size, bytes_through, raw) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12)";
constexpr std::string_view kNumberOf = "SELECT number FROM mails WHERE id = $1";
constexpr std::string_view kList =
    "SELECT id, message_id, sender, recipients, subject, date_field, received_at, received, size FROM mails "
    "WHERE number < $1 ORDER BY number DESC LIMIT $2";
constexpr std::string_view kListTo =
    "SELECT m.id, m.message_id, m.sender, m.recipients, m.subject, m.date_field, m.received_at, m.received, m.size "
    "FROM mail_recipients r JOIN mails m ON m.number = r.mail "
    "WHERE r.block = $1 AND r.address = $2 AND r.mail < $3 ORDER BY r.mail DESC LIMIT $4";
/// The blocks with mails to an address, newest first: one look into each of 4096 mails.
constexpr std::string_view kBlocksOf =
    "WITH RECURSIVE blocks (block) AS (SELECT $1 UNION ALL SELECT block - 1 FROM blocks WHERE block > 0) "
    "SELECT block FROM blocks WHERE EXISTS (SELECT 1 FROM mail_recipients r "
    "WHERE r.block = blocks.block AND r.address = $2 AND r.mail < $3) LIMIT $4";
constexpr std::string_view kFind = "SELECT id, message_id, sender, recipients, subject, date_field, received_at, "
                                   "received, size, raw FROM mails WHERE id = $1";
constexpr std::string_view kRaw = "SELECT raw FROM mails WHERE id = $1";
// Without conditions: SQLite then frees whole trees, without a look at their rows.
constexpr std::string_view kClear = "DELETE FROM mails";
constexpr std::string_view kClearRecipients = "DELETE FROM mail_recipients";

constexpr std::array kAll{kFindSame,     kNewest, kBlocksOf, kCountRepeat, kSetRecipients,
                          kAddRecipient, kTotals, kInsert,   kNumberOf,    kList,
                          kListTo,       kFind,   kRaw,      kClear,       kClearRecipients};
} // namespace sql

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

struct NumberedMail {
    std::int64_t number;
    std::string fingerprint;
};

struct KnownMail {
    std::int64_t number;
    std::string id;
    std::vector<std::string> recipients;
};

/// Of all mails up to the newest: numbers begin with 1 and have no gaps, since only all mails are deleted together.
struct Totals {
    std::int64_t number = 0, bytes_through = 0;
};

constexpr std::int64_t kBlockMails = 4096; // as in the migration

// What lists show of a field that may be megabytes.
constexpr std::size_t kListedBytesMax = 1000;

/// What a recipient is looked up by.
std::string key_of(std::string_view address) {
    return mail_address_key(canonical_mailbox(address).value_or(std::string(address)));
}

std::string without_brackets(std::string_view message_id) {
    if (message_id.starts_with('<') && message_id.ends_with('>'))
        message_id = message_id.substr(1, message_id.size() - 2);
    return std::string(message_id);
}

std::string listed(std::string_view text) { return std::string(utf8_prefix(text, kListedBytesMax)); }

/// A field's text decoded for lists; of a very long one only what they show is looked at.
std::string listed_field(std::string_view value) { return listed(decode_header(value.substr(0, 8 * kListedBytesMax))); }

/// What is kept of a mail beside its bytes.
struct Heading {
    std::string fingerprint, message_id, from, subject, date;
};

Heading describe(const IncomingMail& mail) {
    const ParsedMail parsed = parse_mail(mail.data);
    const std::string_view from = parsed.field("From");
    return {mail_fingerprint(mail.sender, parsed), listed(without_brackets(parsed.field("Message-ID"))),
            from.empty() ? mail.sender : listed_field(from), listed_field(parsed.field("Subject")),
            listed(std::string(parsed.field("Date")))};
}

bool includes(const std::vector<std::string>& recipients, const std::string& address) {
    const auto key = mail_address_key(address);
    return std::ranges::any_of(recipients, [&](const auto& each) { return mail_address_key(each) == key; });
}

Result<void> index_recipients(Transaction& transaction, const std::vector<std::string>& recipients,
                              std::int64_t number) {
    for (const std::string& recipient : recipients) {
        auto added = transaction.execute(sql::kAddRecipient, number / kBlockMails, key_of(recipient), number);
        if (!added) return std::move(added.error());
    }
    return {};
}

/// The same mail again: to people who have it, a repeat; to others, a part of one.
Result<std::string> merge(Transaction& transaction, KnownMail known, const IncomingMail& mail) {
    auto all = known.recipients;
    for (const std::string& recipient : mail.recipients) {
        if (!includes(all, recipient)) all.push_back(recipient);
    }
    if (all.size() == known.recipients.size()) {
        auto counted = transaction.execute(sql::kCountRepeat, known.number);
        if (!counted) return std::move(counted.error());
        return std::move(known.id);
    }
    auto updated = transaction.execute(sql::kSetRecipients, known.number, all);
    if (!updated) return std::move(updated.error());
    auto indexed = index_recipients(transaction, mail.recipients, known.number);
    if (!indexed) return std::move(indexed.error());
    return std::move(known.id);
}

Result<std::string> insert(Transaction& transaction, const IncomingMail& mail, const Heading& described,
                           const MailStoreLimits& limits, RecentMails& recent) {
    auto newest = transaction.find<Totals>(sql::kTotals);
    if (!newest) return std::move(newest.error());
    const Totals totals = newest->value_or(Totals{});
    const auto size = static_cast<std::int64_t>(mail.data.size());
    if (totals.number >= limits.messages_max || totals.bytes_through + size > limits.bytes_max) {
        return Error(Kind::exhausted, "mailbox_full", "the mail catcher is full: DELETE /mail/messages empties it");
    }
    std::string id = transaction.new_id();
    auto inserted =
        transaction.execute(sql::kInsert, totals.number + 1, id, described.fingerprint, described.message_id,
                            described.from, mail.recipients, described.subject, described.date, transaction.now(), size,
                            totals.bytes_through + size, mail.data);
    if (!inserted) return std::move(inserted.error());
    auto indexed = index_recipients(transaction, mail.recipients, totals.number + 1);
    if (!indexed) return std::move(indexed.error());
    recent.add(totals.number + 1, described.fingerprint);
    return id;
}

Result<std::string> store(Transaction& transaction, const IncomingMail& mail, const Heading& described,
                          const MailStoreLimits& limits, RecentMails& recent) {
    if (const auto number = recent.find(described.fingerprint)) {
        auto same = transaction.find<KnownMail>(sql::kFindSame, *number, described.fingerprint);
        if (!same) return std::move(same.error());
        if (*same) return merge(transaction, std::move(**same), mail);
    }
    return insert(transaction, mail, described, limits, recent);
}

/// What was known before the program started.
Result<void> recall(Transaction& transaction, RecentMails& recent) {
    auto newest = transaction.select<NumberedMail>(sql::kNewest, RecentMails::kMailsMax);
    if (!newest) return std::move(newest.error());
    for (const auto& each : *newest)
        recent.add(each.number, each.fingerprint);
    return {};
}

/// The newest mails to an address before a number, newest first.
task<Result<std::vector<MailRow>>> list_to(Database& database, Context& context, std::string address,
                                           std::int64_t before, std::int64_t limit) {
    const auto newest = co_await must(database.find<Totals>(context, sql::kTotals));
    before = std::min(before, newest.value_or(Totals{}).number + 1);
    const auto blocks = co_await must(
        database.select<std::int64_t>(context, sql::kBlocksOf, before / kBlockMails, address, before, limit));
    std::vector<MailRow> rows;
    for (const std::int64_t block : blocks) {
        const std::int64_t missing = limit - static_cast<std::int64_t>(rows.size());
        if (missing == 0) break;
        auto of_block = co_await must(database.select<MailRow>(context, sql::kListTo, block, address, before, missing));
        std::ranges::move(of_block, std::back_inserter(rows));
    }
    co_return rows;
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

MailStore::MailStore(std::unique_ptr<Database> database, MailStoreLimits limits)
    : recent_(std::make_shared<RecentMails>()), database_(std::move(database)), limits_(limits) {}

task<Result<std::unique_ptr<MailStore>>> MailStore::open(Context& context, std::string folder, MailStoreLimits limits) {
    auto database = open_database(context.world(), sqlite_url(folder + "/mail.db"), "hub-mail");
    if (!database) co_return std::move(database.error());
    co_await must((*database)->migrate(context, "mail", kMigrations));
    std::unique_ptr<MailStore> store(new MailStore(std::move(*database), limits));
    co_await must(store->database_->transact(
        context, [recent = store->recent_](Transaction& transaction) { return recall(transaction, *recent); }));
    co_return store;
}

task<Result<std::string>> MailStore::keep(Context& context, IncomingMail mail) {
    Heading described = describe(mail);
    co_return co_await database_->transact(context, [mail = std::move(mail), described = std::move(described),
                                                     limits = limits_, recent = recent_](Transaction& transaction) {
        return store(transaction, mail, described, limits, *recent);
    });
}

task<Result<std::vector<MailSummary>>> MailStore::list(Context& context, MailQuery query) {
    std::int64_t before = std::numeric_limits<std::int64_t>::max();
    if (!query.before.empty()) {
        const auto number = co_await must(database_->find<std::int64_t>(context, sql::kNumberOf, query.before));
        if (!number) co_return Error(Kind::not_found, "mail_not_found", "Mail not found: " + query.before);
        before = *number;
    }
    std::vector<MailRow> rows;
    if (query.to.empty()) {
        rows = co_await must(database_->select<MailRow>(context, sql::kList, before, query.limit));
    } else {
        rows = co_await must(list_to(*database_, context, key_of(query.to), before, query.limit));
    }
    std::vector<MailSummary> mails;
    mails.reserve(rows.size());
    for (auto row = rows.rbegin(); row != rows.rend(); ++row)
        mails.push_back(to_summary(std::move(*row)));
    co_return mails;
}

task<Result<std::optional<MailDetail>>> MailStore::find(Context& context, std::string id) {
    auto row = co_await must(database_->find<RawRow>(context, sql::kFind, std::move(id)));
    if (!row) co_return std::optional<MailDetail>();
    // Decoding megabytes takes longer than the loop's other guests should wait.
    co_return co_await offload(context, [found = std::move(*row)]() mutable -> Result<std::optional<MailDetail>> {
        return to_detail(std::move(found));
    });
}

task<Result<std::optional<std::string>>> MailStore::raw(Context& context, std::string id) {
    co_return co_await database_->find<std::string>(context, sql::kRaw, std::move(id));
}

task<Result<std::int64_t>> MailStore::clear(Context& context) {
    co_return co_await database_->transact(context, [](Transaction& transaction) -> Result<std::int64_t> {
        auto recipients = transaction.execute(sql::kClearRecipients);
        if (!recipients) return recipients;
        return transaction.execute(sql::kClear);
    });
}

std::span<const std::string_view> MailStore::statements() { return sql::kAll; }
std::span<const Migration> MailStore::migrations() { return kMigrations; }

} // namespace flotilla::hub
