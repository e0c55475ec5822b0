#include "hub/redis/sqlite_journal.hpp"

#include <algorithm>
#include <unordered_map>

#include <flotilla/store/sqlite/file_check.hpp>
#include <flotilla/store/sqlite/gathering_vfs.hpp>

namespace flotilla::hub {

namespace {

constexpr std::int64_t kSchemaVersion = 2;
constexpr int kCheckpointPages = 1000;  // of 4 KiB: the least at which fewer than one commit in a hundred of 50 waits
constexpr int kCopyPages = 256;         // a millisecond
constexpr std::size_t kBatchesMax = 16; // streams that gather entries at a time

// Ids are sixteen bytes that sort as they should. Keys, names and bodies are bytes too. A row of entries is one
// EntryBatch; its place is its stream's number and its last entry's position in one integer: SQLite appends to such a
// table at half the cost of any other key. A row that a trim cut stays as it is: trimmed_through tells what is gone.
constexpr const char* kSchema = R"sql(
CREATE TABLE streams (
    id BIGINT PRIMARY KEY, stream_key BLOB NOT NULL UNIQUE, last_id BLOB NOT NULL, max_deleted_id BLOB NOT NULL,
    entries_added BIGINT NOT NULL, expires_ms BIGINT NOT NULL,
    trimmed_through BIGINT NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE entries (
    place INTEGER PRIMARY KEY, id BLOB NOT NULL, body BLOB NOT NULL, sizes BLOB);
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

// Version 1 had one entry in each row, which is a batch without sizes.
constexpr const char* kFromVersion1 = R"sql(
ALTER TABLE entries ADD COLUMN sizes BLOB;
ALTER TABLE streams ADD COLUMN trimmed_through BIGINT NOT NULL DEFAULT 0;
)sql";

constexpr int kPositionBits = 40; // a million million entries ever in each of eight million streams
static_assert(kStreamsMax + 1 < (std::int64_t{1} << (63 - kPositionBits)), "the place after the last stream's");

constexpr std::int64_t place_of(std::int64_t stream, std::int64_t position) {
    return (stream << kPositionBits) | position;
}

constexpr std::int64_t position_in(std::int64_t place) { return place & ((std::int64_t{1} << kPositionBits) - 1); }

struct IdBytes {
    std::array<char, 16> bytes;
    explicit IdBytes(EntryId id) : bytes(id.to_bytes()) {}
    operator SqlValue() const { return std::string_view(bytes.data(), bytes.size()); }
};

/// False when a column of a row that is read back is no id.
bool has_ids(const SqlRow& row, std::initializer_list<int> columns) {
    return std::ranges::all_of(columns, [&](int column) { return row.text(column).size() == sizeof(IdBytes::bytes); });
}

/// Requires: has_ids.
EntryId id_at(const SqlRow& row, int column) { return EntryId::from_bytes(row.text(column)); }

Error no_id() { return damaged_journal("an id that is none"); }

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
    return connection.script("BEGIN IMMEDIATE;" + std::string(version == 0 ? kSchema : kFromVersion1) +
                             "PRAGMA user_version = " + std::to_string(kSchemaVersion) + "; COMMIT");
}

} // namespace

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(const std::filesystem::path& file) {
    auto connection =
        sqlite::Connection::open(file.string(), {.vfs = sqlite::gathering_vfs(sqlite::Gather::log_and_database),
                                                 .exclusive = true,
                                                 .checkpoints_by_owner = true});
    if (!connection) return std::move(connection.error());
    if (auto checked = sqlite::check_file(**connection); !checked) return std::move(checked.error());
    if (auto ready = prepare_schema(**connection); !ready) {
        return std::move(ready.error()).with_context("cannot open " + file.string());
    }
    return std::unique_ptr<SqliteJournal>(new SqliteJournal(std::move(*connection)));
}

SqliteJournal::SqliteJournal(std::unique_ptr<sqlite::Connection> connection) : connection_(std::move(connection)) {}

void SqliteJournal::change(std::string_view sql, std::initializer_list<SqlValue> arguments, const Row& row) {
    if (failure_) return; // the transaction is lost anyway; commit() tells
    changed_ = true;
    if (!connection_->in_transaction()) {
        if (auto begun = connection_->begin(); !begun) {
            failure_ = std::move(begun.error());
            return;
        }
    }
    if (auto done = run(sql, arguments, row); !done) failure_ = std::move(done.error());
}

Result<void> SqliteJournal::commit() {
    if (!changed_) return {};
    write_gathered();
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
    batches_used_ = 0;
    trims_.clear();
    changed_ = false;
    failure_.reset();
}

Result<void> SqliteJournal::tidy() { return connection_->checkpoint_at(kCheckpointPages); }

Result<void> SqliteJournal::health() const {
    if (auto well = connection_->check_names(); !well) return well;
    return connection_->damage().check();
}

Result<void> SqliteJournal::begin_copy() {
    const std::string draft = connection_->file() + ".save.new";
    std::error_code failure;
    std::filesystem::remove(draft, failure); // of a hub that was killed
    if (failure) return Error(Kind::unavailable, "cannot remove " + draft + ": " + failure.message());
    auto begun = sqlite::OnlineCopy::begin(*connection_, draft);
    if (!begun) return std::move(begun.error());
    copy_ = std::move(*begun);
    return {};
}

Result<bool> SqliteJournal::copy_some() {
    auto copied = copy_->step(kCopyPages);
    if (copied && !*copied) return false;
    copy_.reset();
    if (!copied) return copied;
    const std::string copy = connection_->file() + ".save";
    std::error_code failure;
    std::filesystem::rename(copy + ".new", copy, failure);
    if (failure) return Error(Kind::unavailable, "cannot write " + copy + ": " + failure.message());
    return true;
}

Result<void> SqliteJournal::probe() {
    // That the first page can be written says nothing about a damaged one.
    auto outcome = health();
    if (outcome) outcome = connection_->begin();
    // Writes the file's first page as it is.
    if (outcome) outcome = connection_->script("PRAGMA user_version = " + std::to_string(kSchemaVersion));
    if (outcome) outcome = connection_->commit();
    if (!outcome) connection_->rollback();
    return outcome;
}

void SqliteJournal::stream_saved(std::int64_t stream, std::string_view key, const StreamHead& head) {
    change("INSERT INTO streams (id, stream_key, last_id, max_deleted_id, entries_added, expires_ms) "
           "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET last_id = excluded.last_id, "
           "max_deleted_id = excluded.max_deleted_id, entries_added = excluded.entries_added, "
           "expires_ms = excluded.expires_ms",
           {stream, key, IdBytes(head.last_id), IdBytes(head.max_deleted_id), head.entries_added, head.expires_ms});
}

void SqliteJournal::stream_dropped(std::int64_t stream) {
    write_gathered();
    change("DELETE FROM pending WHERE consumer_group IN (SELECT id FROM consumer_groups WHERE stream = $1)", {stream});
    change("DELETE FROM consumers WHERE consumer_group IN (SELECT id FROM consumer_groups WHERE stream = $1)",
           {stream});
    change("DELETE FROM consumer_groups WHERE stream = $1", {stream});
    change("DELETE FROM entries WHERE place >= $1 AND place < $2", {place_of(stream, 0), place_of(stream + 1, 0)});
    change("DELETE FROM streams WHERE id = $1", {stream});
}

void SqliteJournal::entry_added(std::int64_t stream, std::int64_t position, EntryId id, std::string_view body) {
    changed_ = true;
    EntryBatch& batch = batch_of(stream);
    if (!batch.takes(position, body.size())) write(batch);
    batch.add(position, id, body);
}

EntryBatch& SqliteJournal::batch_of(std::int64_t stream) {
    for (std::size_t i = 0; i < batches_used_; ++i) {
        if (batches_[i].stream() == stream) return batches_[i];
    }
    if (batches_used_ == kBatchesMax) write_gathered();
    if (batches_used_ == batches_.size()) batches_.emplace_back();
    EntryBatch& batch = batches_[batches_used_++];
    batch.start(stream);
    return batch;
}

void SqliteJournal::write(EntryBatch& batch) {
    change("INSERT INTO entries (place, id, body, sizes) VALUES ($1, $2, $3, $4)",
           {place_of(batch.stream(), batch.last_position()), batch.ids(), batch.bodies(), batch.sizes()});
    batch.clear();
}

/// Entries before trims, which may remove them.
void SqliteJournal::write_gathered() {
    for (std::size_t i = 0; i < batches_used_; ++i) {
        if (!batches_[i].empty()) write(batches_[i]);
    }
    batches_used_ = 0;
    for (const Trim& each : trims_) {
        change("UPDATE streams SET trimmed_through = $2 WHERE id = $1", {each.stream, each.through});
        change("DELETE FROM entries WHERE place >= $1 AND place <= $2",
               {place_of(each.stream, 0), place_of(each.stream, each.through)});
    }
    trims_.clear();
}

void SqliteJournal::entry_removed(std::int64_t stream, std::int64_t position) {
    write_gathered();
    std::int64_t place = 0;
    std::string sizes;
    change("SELECT place, sizes FROM entries WHERE place >= $1 AND place < $2 ORDER BY place LIMIT 1",
           {place_of(stream, position), place_of(stream + 1, 0)}, [&](const SqlRow& row) {
               place = row.integer(0);
               sizes = row.text(1);
           });
    if (failure_) return;
    if (place == 0 || (sizes.empty() && place != place_of(stream, position))) {
        failure_ = Error(Kind::internal, "the journal does not have the entry to remove");
        return;
    }
    bool some_left = false;
    if (!sizes.empty()) {
        auto left = remove_from_sizes(sizes, place, place_of(stream, position));
        if (!left) {
            failure_ = std::move(left.error());
            return;
        }
        some_left = *left;
    }
    if (some_left) {
        change("UPDATE entries SET sizes = $2 WHERE place = $1", {place, sizes});
    } else {
        change("DELETE FROM entries WHERE place = $1", {place});
    }
}

void SqliteJournal::entries_removed_through(std::int64_t stream, std::int64_t position) {
    changed_ = true;
    const auto known = std::ranges::find(trims_, stream, &Trim::stream);
    if (known == trims_.end()) {
        trims_.push_back({stream, position});
    } else {
        known->through = std::max(known->through, position);
    }
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

Result<void> SqliteJournal::run(std::string_view sql, std::initializer_list<SqlValue> arguments, const Row& row) {
    const auto each = [&](const SqlRow& current) -> Result<void> {
        row(current);
        return {};
    };
    const std::span<const SqlValue> values(arguments.begin(), arguments.size());
    auto done = row ? connection_->run(sql, values, each) : connection_->run(sql, values, nullptr);
    if (!done) return std::move(done.error());
    return {};
}

Result<void> SqliteJournal::read(std::string_view sql, std::initializer_list<SqlValue> arguments,
                                 const RowCallback& row) {
    auto done = connection_->run(sql, {arguments.begin(), arguments.size()}, row);
    if (!done) return std::move(done.error());
    return {};
}

/// Streams and what is in them.
Result<void> SqliteJournal::load_entries(StreamChanges& into) {
    std::unordered_map<std::int64_t, std::int64_t> trimmed_through;
    auto done = read("SELECT id, stream_key, last_id, max_deleted_id, entries_added, expires_ms, trimmed_through, "
                     "(SELECT max(place) FROM entries WHERE place >= streams.id << $1 AND place < (streams.id + 1) << "
                     "$1) FROM streams",
                     {kPositionBits}, [&](const SqlRow& row) -> Result<void> {
                         if (!has_ids(row, {2, 3})) return no_id();
                         const std::int64_t stream = row.integer(0);
                         const std::int64_t trimmed = row.integer(6);
                         trimmed_through.emplace(stream, trimmed);
                         // A row's last entries may have been removed: their positions name the row and are not given
                         // again.
                         const std::int64_t last = row.type(7) == SqlType::null ? 0 : position_in(row.integer(7));
                         into.stream_saved(
                             stream, row.text(1),
                             {id_at(row, 2), id_at(row, 3), row.integer(4), row.integer(5), std::max(trimmed, last)});
                         return {};
                     });
    if (!done) return done;
    return read("SELECT place, id, body, sizes FROM entries ORDER BY place", {},
                [&](const SqlRow& row) -> Result<void> {
                    const std::int64_t stream = row.integer(0) >> kPositionBits;
                    const auto gone = trimmed_through.find(stream);
                    if (gone == trimmed_through.end())
                        return damaged_journal("entries of a stream that it does not have");
                    const EntryRow entries{position_in(row.integer(0)), row.text(1), row.text(3), row.text(2)};
                    return entries.for_each([&](std::int64_t position, EntryId id, std::string_view body) {
                        if (position > gone->second) into.entry_added(stream, position, id, body);
                    });
                });
}

Result<void> SqliteJournal::load(StreamChanges& into) {
    auto done = load_entries(into);
    if (!done) return done;
    done = read("SELECT stream, id, name, last_id, entries_read FROM consumer_groups", {},
                [&](const SqlRow& row) -> Result<void> {
                    if (!has_ids(row, {3})) return no_id();
                    into.group_saved(row.integer(0), row.integer(1), row.text(2), id_at(row, 3), row.integer(4));
                    return {};
                });
    if (!done) return done;
    done = read("SELECT consumer_group, id, name, seen_ms FROM consumers", {}, [&](const SqlRow& row) -> Result<void> {
        into.consumer_saved(row.integer(0), row.integer(1), row.text(2), row.integer(3));
        return {};
    });
    if (!done) return done;
    return read(
        "SELECT consumer_group, id, consumer, delivered_ms, deliveries FROM pending ORDER BY consumer_group, id", {},
        [&](const SqlRow& row) -> Result<void> {
            if (!has_ids(row, {1})) return no_id();
            into.pending_saved(row.integer(0), id_at(row, 1), row.integer(2), row.integer(3), row.integer(4));
            return {};
        });
}

} // namespace flotilla::hub
