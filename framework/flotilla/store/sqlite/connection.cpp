#include <flotilla/store/sqlite/connection.hpp>

#include <sqlite3.h>

#include <flotilla/store/sql_text.hpp>
#include <flotilla/store/sqlite/sqlite_error.hpp>

namespace flotilla::sqlite {
namespace {

constexpr int kProgressSteps = 1000;
constexpr std::size_t kCachedStatementsMax = 512;
constexpr int kReadersWaitMs = 1000;

std::string_view text_or_empty(const void* text, int size) {
    return text ? std::string_view(static_cast<const char*>(text), static_cast<std::size_t>(size)) : std::string_view();
}

class Row final : public SqlRow {
public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement), columns_(sqlite3_column_count(statement)) {}
    int columns() const override { return columns_; }
    std::string_view column_name(int column) const override { return sqlite3_column_name(statement_, column); }
    SqlType type(int column) const override {
        switch (sqlite3_column_type(statement_, column)) {
        case SQLITE_NULL:
            return SqlType::null;
        case SQLITE_INTEGER:
            return SqlType::integer;
        case SQLITE_FLOAT:
            return SqlType::real;
        default:
            return SqlType::text;
        }
    }
    std::int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
    double real(int column) const override { return sqlite3_column_double(statement_, column); }
    std::string_view text(int column) const override {
        const auto* text = sqlite3_column_text(statement_, column);
        return text_or_empty(text, sqlite3_column_bytes(statement_, column));
    }

private:
    sqlite3_stmt* statement_;
    int columns_;
};

/// Marks a statement as running and makes it ready for its next use at the end, whatever the outcome.
class Running {
public:
    explicit Running(CachedStatement& statement) : statement_(statement) { statement_.running = true; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        // The outcome was taken from step(); reset() would only repeat it.
        sqlite3_reset(statement_.handle);
        sqlite3_clear_bindings(statement_.handle);
        statement_.running = false;
    }

private:
    CachedStatement& statement_;
};

int bind_value(sqlite3_stmt* statement, int index, const SqlValue& value) {
    const auto bind_text = [&](std::string_view text) {
        return sqlite3_bind_text64(statement, index, text.data() ? text.data() : "", text.size(), SQLITE_STATIC,
                                   SQLITE_UTF8);
    };
    const auto& storage = value.storage();
    if (const auto* integer = std::get_if<std::int64_t>(&storage))
        return sqlite3_bind_int64(statement, index, *integer);
    if (const auto* real = std::get_if<double>(&storage)) return sqlite3_bind_double(statement, index, *real);
    if (const auto* view = std::get_if<std::string_view>(&storage)) return bind_text(*view);
    if (const auto* text = std::get_if<std::string>(&storage)) return bind_text(*text);
    return sqlite3_bind_null(statement, index);
}

} // namespace

CachedStatement::~CachedStatement() { sqlite3_finalize(handle); }

Result<std::unique_ptr<Connection>> Connection::open(const std::string& file, ConnectionOptions options) {
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READWRITE |
                      (options.role == Role::writer ? SQLITE_OPEN_CREATE : 0);
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &handle, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
    std::unique_ptr<Connection> connection(new Connection(file, handle, options));
    if (code != SQLITE_OK) {
        const char* reason = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
        return Error(Kind::unavailable, "cannot open the database " + file + ": " + reason);
    }
    if (auto configured = connection->configure(options); !configured) {
        return std::move(configured.error()).with_context("cannot open the database " + file);
    }
    return connection;
}

Connection::Connection(std::string file, sqlite3* handle, const ConnectionOptions& options)
    : file_(std::move(file)), log_file_(file_ + "-wal"), handle_(handle), role_(options.role),
      damage_(options.damage ? options.damage : std::make_shared<FileDamage>()) {}

Connection::~Connection() {
    // The name may lead to another file by now, and the WAL is not that one's.
    if (role_ == Role::writer && !damage_->check()) keep_log();
    statements_.clear();
    controls_.clear();
    sqlite3_close_v2(handle_);
}

Result<void> Connection::configure(const ConnectionOptions& options) {
    const auto busy_ms = std::chrono::duration_cast<std::chrono::milliseconds>(options.busy_timeout).count();
    sqlite3_busy_timeout(handle_, static_cast<int>(busy_ms));
    // "text" in double quotes is an identifier on every other engine.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_progress_handler(handle_, kProgressSteps, &Connection::on_progress, this);
    if (role_ != Role::writer) {
        // The writer alone checkpoints, also when the last connection closes.
        sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        return script(role_ == Role::reader ? "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0"
                                            : "PRAGMA wal_autocheckpoint = 0");
    }
    if (options.exclusive) {
        // Before the WAL is opened: that is when SQLite decides whether to use shared memory.
        if (auto locked = script("PRAGMA locking_mode = EXCLUSIVE"); !locked) return locked;
    }
    // journal_size_limit stays at -1 (SQLite's default): a checkpointed WAL is written over, not cut.
    // temp_store: what a statement or savepoint needs to take itself back stays in memory. A body is small, and a
    // service may have no folder for temporary files.
    auto ready = script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
                        "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST");
    if (ready) ready = script("SELECT count(*) FROM sqlite_schema"); // makes the WAL
    if (ready && options.checkpoints_by_owner) sqlite3_wal_hook(handle_, &Connection::on_commit_to_wal, this);
    file_identity_ = FileIdentity::of(file_);
    log_identity_ = FileIdentity::of(log_file_);
    return ready;
}

int Connection::on_commit_to_wal(void* self, sqlite3*, const char*, int pages) {
    static_cast<Connection*>(self)->wal_pages_ = pages;
    return SQLITE_OK;
}

Result<void> Connection::checkpoint() {
    if (sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) != SQLITE_OK) {
        return error("checkpoint");
    }
    wal_pages_ = 0;
    checkpoint_failed_at_ = 0;
    return {};
}

Result<void> Connection::checkpoint_at(int pages) {
    if (wal_pages_ < checkpoint_failed_at_ + pages) return {};
    auto done = checkpoint();
    if (!done) checkpoint_failed_at_ = wal_pages_;
    return done;
}

Result<void> Connection::empty_log() {
    if (auto well = check_names(); !well) return well;
    if (auto well = damage_->check(); !well) return well;
    sqlite3_busy_timeout(handle_, kReadersWaitMs);
    if (sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) != SQLITE_OK) {
        return error("checkpoint");
    }
    wal_pages_ = 0;
    return {};
}

void Connection::keep_log() { sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

Result<void> Connection::check_names() const {
    const auto gone = [this](std::string_view what) {
        auto error = FileDamage::error(file_, std::string(what) + " was removed or replaced while it was open");
        damage_->note(error);
        return error;
    };
    if (FileIdentity::of(file_) != file_identity_) return gone("the file");
    if (log_identity_ && FileIdentity::of(log_file_) != log_identity_) return gone("its -wal");
    return {};
}

void Connection::interrupt() { sqlite3_interrupt(handle_); }

Error Connection::noted(Error error) {
    damage_->note(error);
    return error;
}

Error Connection::error(std::string_view sql) { return noted(sqlite_error(handle_, role_, sql)); }

int Connection::on_progress(void* self) {
    auto& connection = *static_cast<Connection*>(self);
    connection.steps_ += kProgressSteps;
    if (connection.step_budget_ > 0 && connection.steps_ > connection.step_budget_) return 1;
    return connection.cancel_flag_ && connection.cancel_flag_->load(std::memory_order_relaxed) ? 1 : 0;
}

Result<sqlite3_stmt*> Connection::prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size() + 1),
                                        SQLITE_PREPARE_PERSISTENT, &statement, &tail);
    if (code != SQLITE_OK) return error(sql);
    if (!statement) return Error(Kind::internal, "no statement in: " + sql::shortened(sql));
    if (!sql::split_statements(tail).empty()) {
        sqlite3_finalize(statement);
        return Error(Kind::internal, "several statements in one call: " + sql::shortened(sql));
    }
    return statement;
}

Result<CachedStatement*> Connection::cached(std::string_view sql, std::unique_ptr<CachedStatement>& own) {
    const auto found = statements_.find(sql);
    if (found != statements_.end() && !found->second->running) return found->second.get();
    if (auto allowed = sql::check_allowed(sql); !allowed) return std::move(allowed.error());
    auto prepared = prepare(sql::for_sqlite(sql));
    if (!prepared) return std::move(prepared.error());
    own = std::make_unique<CachedStatement>(*prepared);
    own->writes = sqlite3_stmt_readonly(*prepared) == 0;
    own->changes_schema = own->writes && !sql::changes_rows(sql);
    if (found != statements_.end()) return own.get();
    if (statements_.size() >= kCachedStatementsMax) {
        std::erase_if(statements_, [](const auto& entry) { return !entry.second->running; });
    }
    return statements_.emplace(sql, std::move(own)).first->second.get();
}

Result<void> Connection::bind(sqlite3_stmt* statement, std::string_view sql, std::span<const SqlValue> arguments) {
    const auto expected = static_cast<std::size_t>(sqlite3_bind_parameter_count(statement));
    if (expected != arguments.size()) {
        return Error(Kind::internal, "the statement takes " + std::to_string(expected) + " arguments, given were " +
                                         std::to_string(arguments.size()) + ": " + sql::shortened(sql));
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (bind_value(statement, static_cast<int>(i + 1), arguments[i]) != SQLITE_OK) return error(sql);
    }
    return {};
}

Result<void> Connection::step_all(sqlite3_stmt* statement, std::string_view sql, const RowCallback& row) {
    const Row current(statement);
    while (true) {
        const int code = sqlite3_step(statement);
        if (code == SQLITE_DONE) return {};
        if (code == SQLITE_INTERRUPT) {
            if (cancel_flag_ && cancel_flag_->load()) return Error(Kind::cancelled, "the query was cancelled");
            return Error(Kind::internal,
                         "a point read took more than " + std::to_string(step_budget_) +
                             " steps: it scans; give it an index, or use select(): " + sql::shortened(sql));
        }
        if (code != SQLITE_ROW) return error(sql);
        if (!row)
            return Error(Kind::internal,
                         "execute() met a statement with rows; use find() or select(): " + sql::shortened(sql));
        if (auto taken = row(current); !taken) return taken;
    }
}

Result<std::int64_t> Connection::run(std::string_view sql, std::span<const SqlValue> arguments,
                                     const RowCallback& row) {
    auto done = run_statement(sql, arguments, row);
    if (!done && done.error().kind() == Kind::unavailable) fault_ = done.error();
    return done;
}

Result<std::int64_t> Connection::run_statement(std::string_view sql, std::span<const SqlValue> arguments,
                                               const RowCallback& row) {
    std::unique_ptr<CachedStatement> own;
    auto statement = cached(sql, own);
    if (!statement) return std::move(statement.error());
    const Running running(**statement);
    if (auto bound = bind((*statement)->handle, sql, arguments); !bound) return std::move(bound.error());
    steps_ = 0;
    if ((*statement)->changes_schema) ++uncounted_writes_;
    const auto changes_before = total_changes();
    if (auto done = step_all((*statement)->handle, sql, row); !done) {
        // A violated constraint takes the statement's changes back. Other errors may leave the rows before the one they
        // met, without counting them (an overflow in the second row of an UPDATE, for one).
        if ((*statement)->writes && done.error().kind() != Kind::conflict) ++uncounted_writes_;
        return std::move(done.error());
    }
    // sqlite3_changes() keeps the number of the last statement that could change rows; others change none.
    if (total_changes() == changes_before) return 0;
    return sqlite3_changes64(handle_);
}

Result<std::vector<std::string>> Connection::columns_of(std::string_view sql) {
    auto prepared = prepare(sql::for_sqlite(sql));
    if (!prepared) return std::move(prepared.error());
    const CachedStatement statement(*prepared);
    std::vector<std::string> columns;
    for (int i = 0; i < sqlite3_column_count(statement.handle); ++i)
        columns.emplace_back(sqlite3_column_name(statement.handle, i));
    return columns;
}

Result<void> Connection::control(std::string_view sql) {
    auto& slot = controls_[sql];
    if (!slot) {
        auto prepared = prepare(std::string(sql));
        if (!prepared) return std::move(prepared.error());
        slot = std::make_unique<CachedStatement>(*prepared);
    }
    const Running running(*slot);
    return step_all(slot->handle, sql, nullptr);
}

void Connection::rollback() {
    // Cannot fail in a way that matters: without a transaction there is nothing to undo.
    if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

bool Connection::has_deferred_violations() const {
    int current = 0;
    int highest = 0;
    sqlite3_db_status(handle_, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0);
    return current != 0;
}

std::int64_t Connection::total_changes() const { return sqlite3_total_changes64(handle_); }

std::int64_t Connection::writes() const { return total_changes() + uncounted_writes_; }

Result<void> Connection::script(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error(sql);
    return {};
}

} // namespace flotilla::sqlite
