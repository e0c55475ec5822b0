#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>
#include <flotilla/store/sqlite/file_damage.hpp>
#include <flotilla/store/statements.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace flotilla::sqlite {

/// writer: the one connection of a file that writes and checkpoints (SQLite 3.40 has a WAL-reset bug when several do at
///   once: those of several processes take turns, see WriterTurns): WAL, synchronous=FULL, foreign keys on; the WAL
///   keeps its size, which makes commits twice as fast.
/// reader: query_only, never checkpoints.
/// observer: may hold the write lock (begin()), so that others do not write meanwhile; writes and checkpoints nothing.
enum class Role : unsigned char { writer, reader, observer };

struct ConnectionOptions {
    Role role = Role::writer;
    Duration busy_timeout = std::chrono::seconds(5);
    std::string vfs = {}; ///< name of a registered SQLite VFS; empty: the system's
    /// Nobody else opens the file while this writer does: no locks and no shared memory, six system calls less a
    /// commit.
    bool exclusive = false;
    /// The owner calls checkpoint(), when nobody waits for it, instead of the commit that fills the WAL.
    bool checkpoints_by_owner = false;
    /// Where damage is noted; connections of one file in one process share it. Null: one of its own.
    std::shared_ptr<FileDamage> damage = {};
};

/// A prepared statement of a connection's cache, or one of its own while the cached one is running.
class CachedStatement {
public:
    explicit CachedStatement(sqlite3_stmt* statement) : handle(statement) {}
    CachedStatement(const CachedStatement&) = delete;
    CachedStatement& operator=(const CachedStatement&) = delete;
    ~CachedStatement();

    sqlite3_stmt* const handle;
    bool running = false;
    bool writes = false;         ///< it is more than a query
    bool changes_schema = false; ///< it writes what is no row of a table
};

/// One SQLite connection with a cache of prepared statements, in the shared dialect (`$1` is bound as `?1`).
/// Error mapping as documented at Statements; double-quoted strings are refused.
/// Thread-safety: none, but it may move between threads.
class Connection final : public Statements {
public:
    /// Opens, creating the file for a writer. Requires: the folder exists. Errors: unavailable with the reason;
    /// database_damaged.
    static Result<std::unique_ptr<Connection>> open(const std::string& file, ConnectionOptions options = {});
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() override;

    Result<std::int64_t> run(std::string_view sql, std::span<const SqlValue> arguments,
                             const RowCallback& row) override;

    /// The names of the columns that a statement gives, which is prepared and not run. Errors: as statements'.
    Result<std::vector<std::string>> columns_of(std::string_view sql);

    /// BEGIN IMMEDIATE: takes the write lock at once.
    Result<void> begin() { return control("BEGIN IMMEDIATE"); }
    /// Durable once it has answered ok. On an error the transaction may still be open: roll back.
    Result<void> commit() { return control("COMMIT"); }
    /// Does nothing when SQLite has already rolled back (disk full, I/O error).
    void rollback();
    bool in_transaction() const;
    /// One level of savepoint inside a transaction.
    Result<void> savepoint() { return control("SAVEPOINT body"); }
    Result<void> release() { return control("RELEASE body"); }
    Result<void> rollback_to_savepoint() { return control("ROLLBACK TO body"); }
    /// Whether deferred foreign keys are violated: COMMIT would fail for everybody in it.
    bool has_deferred_violations() const;

    /// Pages in the WAL since its last checkpoint, as of the last commit; only counted with checkpoints_by_owner.
    int wal_pages() const { return wal_pages_; }
    /// Copies the WAL's pages into the file, so that the next commit writes the WAL from its beginning. Durability does
    /// not depend on it. Errors: as statements'; the WAL then goes on growing.
    Result<void> checkpoint();
    /// The same once the WAL has grown to that many pages; after a failure only once it has grown by as many again,
    /// since each try costs as much. For the owner, when nobody waits.
    Result<void> checkpoint_at(int pages);
    /// Whether the last try of checkpoint_at() failed.
    bool checkpoint_failed() const { return checkpoint_failed_at_ > 0; }
    /// Copies all of the WAL and empties it: everything lies in the file then. For the last one out; waits a second for
    /// readers. Not with a damaged file, whose WAL may not be its own any more. Errors: as statements'; the WAL keeps
    /// what it holds.
    Result<void> empty_log();

    /// Leaves the WAL as it is when it closes, though it be the last: the file is another process's.
    void keep_log();

    const std::string& file() const { return file_; }
    sqlite3* handle() const { return handle_; } ///< for OnlineCopy
    FileDamage& damage() const { return *damage_; }
    const std::shared_ptr<FileDamage>& shared_damage() const { return damage_; }
    /// ok while the names of file and WAL still lead to what is open; what is written to files without a name is gone
    /// with the process. Notes it as damage. For a writer. Thread-safe.
    Result<void> check_names() const;
    /// Whether a statement has met a fault of the disk since the last call; its error. (A body may have kept it to
    /// itself.)
    std::optional<Error> take_fault() { return std::exchange(fault_, std::nullopt); }
    /// Ends the statement that runs, from another thread.
    void interrupt();

    /// Grows with each row that is changed and each statement that may have changed anything else, kept or rolled back.
    /// What did not make it grow left nothing to undo.
    std::int64_t writes() const;
    /// Rows changed since it was opened.
    std::int64_t total_changes() const;

    /// Statements of the driver itself, PRAGMA included; not cached, no parameters.
    Result<void> script(const std::string& sql);

    /// A statement that takes more than that many steps of SQLite's virtual machine (to the nearest thousand) is ended
    /// with an internal error that says it scans. 0: no limit.
    void set_step_budget(std::int64_t steps) { step_budget_ = steps; }
    /// While set, statements are ended with `cancelled` once the flag is true.
    void set_cancel_flag(const std::atomic<bool>* flag) { cancel_flag_ = flag; }

private:
    Connection(std::string file, sqlite3* handle, const ConnectionOptions& options);
    Result<void> configure(const ConnectionOptions& options);
    Result<void> control(std::string_view sql);
    Result<sqlite3_stmt*> prepare(const std::string& sql);
    Result<CachedStatement*> cached(std::string_view sql, std::unique_ptr<CachedStatement>& own);
    Result<void> bind(sqlite3_stmt* statement, std::string_view sql, std::span<const SqlValue> arguments);
    Result<void> step_all(sqlite3_stmt* statement, std::string_view sql, const RowCallback& row);
    Result<std::int64_t> run_statement(std::string_view sql, std::span<const SqlValue> arguments,
                                       const RowCallback& row);
    Error error(std::string_view sql);
    Error noted(Error error);
    static int on_progress(void* self);
    static int on_commit_to_wal(void* self, sqlite3* handle, const char* schema, int pages);

    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    using Cache = std::unordered_map<std::string, std::unique_ptr<CachedStatement>, Hash, std::equal_to<>>;

    const std::string file_, log_file_;
    sqlite3* handle_;
    Role role_;
    std::shared_ptr<FileDamage> damage_;
    std::optional<FileIdentity> file_identity_, log_identity_; ///< of a writer, as it opened them
    std::optional<Error> fault_;
    Cache statements_;
    std::unordered_map<std::string_view, std::unique_ptr<CachedStatement>> controls_;
    std::int64_t step_budget_ = 0;
    std::int64_t steps_ = 0;
    std::int64_t uncounted_writes_ = 0; ///< statements whose changes total_changes() may not tell
    int wal_pages_ = 0;
    int checkpoint_failed_at_ = 0; ///< pages in the WAL; 0: the last one did not fail
    const std::atomic<bool>* cancel_flag_ = nullptr;
};

} // namespace flotilla::sqlite
