#include "hub/redis/sqlite_journal.hpp"

namespace flotilla::hub {

namespace {

constexpr std::int64_t kSchemaVersion = 1;

// Ids are sixteen bytes that sort as they should. Keys, names and bodies are bytes too. An entry's place is its
// stream's number and its position in one integer: SQLite appends to such a table at half the cost of any other key.
constexpr const char* kSchema = R"sql(
CREATE TABLE streams (
    id BIGINT PRIMARY KEY, stream_key BLOB NOT NULL UNIQUE, last_id BLOB NOT NULL, max_deleted_id BLOB NOT NULL,
    entries_added BIGINT NOT NULL, expires_ms BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    place INTEGER PRIMARY KEY, id BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE consumer_groups (
    id BIGINT PRIMARY KEY, stream BIGINT NOT NULL, name BLOB NOT NULL, last_id BLOB NOT NULL,
    entries_read BIGINT NOT NULL) WITHOUT ROWID;
CREATE INDEX consumer_groups_by_stream ON consumer_groups (stream);
CREATE TABLE consumers (
    consumer_group BIGINT NOT NULL, id BIGINT NOT NULL, name BLOB NOT NULL, seen_ms BIGINT NOT NULL,
    PRIMARY KEY (consumer_group, id)) WITHOUT ROWID;
CREATE TABLE pending (
    consumer_group BIGINT NOT NULL, id BLOB NOT NULL, consumer BIGINT NOT NULL, delivered_ms BIGINT NOT NULL,
    deliveries BIGINT NOT NULL, PRIMARY KEY (consumer_group, id)) WITHOUT ROWID;
)sql";

constexpr int kPositionBits = 40; // a million million entries ever in each of eight million streams

constexpr std::int64_t place_of(std::int64_t stream, std::int64_t position) {
    return (stream << kPositionBits) | position;
}

struct IdBytes {
    std::array<char, 16> bytes;
    explicit IdBytes(EntryId id) : bytes(id.to_bytes()) {}
    operator SqlValue() const { return std::string_view(bytes.data(), bytes.size()); }
};

EntryId id_at(const SqlRow& row, int column) { return EntryId::from_bytes(row.text(column)); }

Result<void> prepare_schema(sqlite::Connection& connection) {
    std::int64_t version = 0;
    auto read =
        connection.run("SELECT user_version FROM pragma_user_version", {}, [&](const SqlRow& row) -> Result<void> {
            version = row.integer(0);
            return {};
        });
    if (!read) return std::move(read.error());
    if (version == kSchemaVersion) return {};
    if (version > kSchemaVersion) return Error(Kind::internal, "the file was written by a newer version of the hub");
    return connection.script("BEGIN IMMEDIATE;" + std::string(kSchema) +
                             "PRAGMA user_version = " + std::to_string(kSchemaVersion) + "; COMMIT");
}

} // namespace

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(const std::filesystem::path& file) {
    auto connection = sqlite::Connection::open(file.string());
    if (!connection) return std::move(connection.error());
    if (auto ready = prepare_schema(**connection); !ready) {
        return std::move(ready.error()).with_context("cannot open " + file.string());
    }
    return std::unique_ptr<SqliteJournal>(new SqliteJournal(std::move(*connection)));
}

void SqliteJournal::change(std::string_view sql, std::initializer_list<SqlValue> arguments) {
    if (failure_) return; // the transaction is lost anyway; commit() tells
    if (!changed_) {
        changed_ = true;
        if (auto begun = connection_->begin(); !begun) {
            failure_ = std::move(begun.error());
            return;
        }
    }
    auto done = connection_->run(sql, std::span<const SqlValue>(arguments.begin(), arguments.size()), nullptr);
    if (!done) failure_ = std::move(done.error());
}

Result<void> SqliteJournal::commit() {
    if (!changed_) return {};
    if (!failure_) {
        auto committed = connection_->commit();
        if (committed) {
            changed_ = false;
            return {};
        }
        failure_ = std::move(committed.error());
    }
    Error error = std::move(*failure_);
    abandon();
    return error;
}

void SqliteJournal::abandon() {
    connection_->rollback();
    changed_ = false;
    failure_.reset();
}

void SqliteJournal::stream_saved(std::int64_t stream, std::string_view key, const StreamHead& head) {
    change("INSERT INTO streams (id, stream_key, last_id, max_deleted_id, entries_added, expires_ms) "
           "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET last_id = excluded.last_id, "
           "max_deleted_id = excluded.max_deleted_id, entries_added = excluded.entries_added, "
           "expires_ms = excluded.expires_ms",
           {stream, key, IdBytes(head.last_id), IdBytes(head.max_deleted_id), head.entries_added, head.expires_ms});
}

void SqliteJournal::stream_dropped(std::int64_t stream) {
    change("DELETE FROM pending WHERE consumer_group IN (SELECT id FROM consumer_groups WHERE stream = $1)", {stream});
    change("DELETE FROM consumers WHERE consumer_group IN (SELECT id FROM consumer_groups WHERE stream = $1)",
           {stream});
    change("DELETE FROM consumer_groups WHERE stream = $1", {stream});
    change("DELETE FROM entries WHERE place >= $1 AND place < $2", {place_of(stream, 0), place_of(stream + 1, 0)});
    change("DELETE FROM streams WHERE id = $1", {stream});
}

void SqliteJournal::entry_added(std::int64_t stream, std::int64_t position, EntryId id, std::string_view body) {
    change("INSERT INTO entries (place, id, body) VALUES ($1, $2, $3)",
           {place_of(stream, position), IdBytes(id), body});
}

void SqliteJournal::entry_removed(std::int64_t stream, std::int64_t position) {
    change("DELETE FROM entries WHERE place = $1", {place_of(stream, position)});
}

void SqliteJournal::entries_removed_through(std::int64_t stream, std::int64_t position) {
    change("DELETE FROM entries WHERE place >= $1 AND place <= $2", {place_of(stream, 0), place_of(stream, position)});
}

void SqliteJournal::group_saved(std::int64_t stream, std::int64_t group, std::string_view name, EntryId last_id,
                                std::int64_t entries_read) {
    change("INSERT INTO consumer_groups (id, stream, name, last_id, entries_read) VALUES ($1, $2, $3, $4, $5) "
           "ON CONFLICT (id) DO UPDATE SET last_id = excluded.last_id, entries_read = excluded.entries_read",
           {group, stream, name, IdBytes(last_id), entries_read});
}

void SqliteJournal::group_dropped(std::int64_t group) {
    change("DELETE FROM pending WHERE consumer_group = $1", {group});
    change("DELETE FROM consumers WHERE consumer_group = $1", {group});
    change("DELETE FROM consumer_groups WHERE id = $1", {group});
}

void SqliteJournal::consumer_saved(std::int64_t group, std::int64_t consumer, std::string_view name,
                                   std::int64_t seen_ms) {
    change("INSERT INTO consumers (consumer_group, id, name, seen_ms) VALUES ($1, $2, $3, $4) "
           "ON CONFLICT (consumer_group, id) DO UPDATE SET seen_ms = excluded.seen_ms",
           {group, consumer, name, seen_ms});
}

void SqliteJournal::consumer_dropped(std::int64_t group, std::int64_t consumer) {
    change("DELETE FROM pending WHERE consumer_group = $1 AND consumer = $2", {group, consumer});
    change("DELETE FROM consumers WHERE consumer_group = $1 AND id = $2", {group, consumer});
}

void SqliteJournal::pending_saved(std::int64_t group, EntryId id, std::int64_t consumer, std::int64_t delivered_ms,
                                  std::int64_t deliveries) {
    change("INSERT INTO pending (consumer_group, id, consumer, delivered_ms, deliveries) VALUES ($1, $2, $3, $4, $5) "
           "ON CONFLICT (consumer_group, id) DO UPDATE SET consumer = excluded.consumer, "
           "delivered_ms = excluded.delivered_ms, deliveries = excluded.deliveries",
           {group, IdBytes(id), consumer, delivered_ms, deliveries});
}

void SqliteJournal::pending_removed(std::int64_t group, EntryId id) {
    change("DELETE FROM pending WHERE consumer_group = $1 AND id = $2", {group, IdBytes(id)});
}

Result<void> SqliteJournal::read(std::string_view sql, const std::function<void(const SqlRow&)>& row) {
    auto done = connection_->run(sql, {}, [&](const SqlRow& each) -> Result<void> {
        row(each);
        return {};
    });
    if (!done) return std::move(done.error());
    return {};
}

Result<void> SqliteJournal::load(StreamChanges& into) {
    auto done = read("SELECT id, stream_key, last_id, max_deleted_id, entries_added, expires_ms FROM streams",
                     [&](const SqlRow& row) {
                         into.stream_saved(row.integer(0), row.text(1),
                                           {id_at(row, 2), id_at(row, 3), row.integer(4), row.integer(5)});
                     });
    if (!done) return done;
    done = read("SELECT place, id, body FROM entries ORDER BY place", [&](const SqlRow& row) {
        const std::int64_t place = row.integer(0);
        into.entry_added(place >> kPositionBits, place & ((std::int64_t{1} << kPositionBits) - 1), id_at(row, 1),
                         row.text(2));
    });
    if (!done) return done;
    done = read("SELECT stream, id, name, last_id, entries_read FROM consumer_groups", [&](const SqlRow& row) {
        into.group_saved(row.integer(0), row.integer(1), row.text(2), id_at(row, 3), row.integer(4));
    });
    if (!done) return done;
    done = read("SELECT consumer_group, id, name, seen_ms FROM consumers", [&](const SqlRow& row) {
        into.consumer_saved(row.integer(0), row.integer(1), row.text(2), row.integer(3));
    });
    if (!done) return done;
    return read(
        "SELECT consumer_group, id, consumer, delivered_ms, deliveries FROM pending ORDER BY consumer_group, id",
        [&](const SqlRow& row) {
            into.pending_saved(row.integer(0), id_at(row, 1), row.integer(2), row.integer(3), row.integer(4));
        });
}

} // namespace flotilla::hub
