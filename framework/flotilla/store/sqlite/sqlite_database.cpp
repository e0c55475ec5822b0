#include <flotilla/store/sqlite/sqlite_database.hpp>

#include <flotilla/aio/offload.hpp>
#include <flotilla/aio/time_spent.hpp>
#include <flotilla/store/migrator.hpp>

namespace flotilla::sqlite {

/// Waits for the writer's answer. Cancelled, or destroyed, while the body is still queued, it takes the body back.
class SqliteDatabase::Written {
public:
    Written(Context& context, Writer& writer, std::shared_ptr<WriteRequest> request, TimeSpent::Interval& waiting)
        : context_(context), writer_(writer), request_(std::move(request)), waiting_(waiting),
          wakeup_(context.world(), &Written::resume, this) {}
    Written(const Written&) = delete;
    Written& operator=(const Written&) = delete;
    ~Written() {
        if (!request_->waiter) return;
        writer_.withdraw(*request_);
        request_->waiter = nullptr;
    }

    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        request_->waiter = awaiting;
        hook_.link(context_, &Written::on_cancel, this);
    }
    Result<void> await_resume() {
        hook_.unlink();
        if (withdrawn_) return context_.reason();
        waiting_.divide(request_->waited, request_->bodies, request_->commit);
        return std::move(request_->outcome);
    }

private:
    static void on_cancel(void* self) {
        auto& written = *static_cast<Written*>(self);
        // A body that has begun is waited for: its commit may succeed.
        written.withdrawn_ = written.writer_.withdraw(*written.request_);
        if (written.withdrawn_) written.wakeup_.schedule();
    }
    static void resume(void* self) { std::exchange(static_cast<Written*>(self)->request_->waiter, nullptr).resume(); }

    Context& context_;
    Writer& writer_;
    std::shared_ptr<WriteRequest> request_;
    TimeSpent::Interval& waiting_;
    bool withdrawn_ = false;
    CancelHook hook_;
    Wakeup wakeup_;
};

Result<std::unique_ptr<Database>> SqliteDatabase::open(World& world, std::string_view url, std::string_view owner) {
    auto location = Location::parse(url);
    if (!location) return std::move(location.error());
    auto file = SharedFile::open(world, *location, owner);
    if (!file) return std::move(file.error());
    auto reader = (*file)->readers()->open();
    if (!reader) return std::move(reader.error());
    return std::make_unique<SqliteDatabase>(world, std::move(*file), std::move(*reader));
}

SqliteDatabase::SqliteDatabase(World& world, SharedFile::Handle file, std::unique_ptr<Connection> reader)
    : file_(std::move(file)), client_(std::make_shared<WriterClient>(world)), reader_(std::move(reader)),
      look_(world, &SqliteDatabase::look_for_signals, this) {
    reader_->set_step_budget(kPointReadSteps);
    file_->writer().attach(client_);
}

SqliteDatabase::~SqliteDatabase() {
    if (metrics_ != nullptr) file_->writer().report_no_more(*metrics_);
    file_->writer().detach(client_);
    client_->close();
}

task<Result<void>> SqliteDatabase::migrate(Context& context, std::string_view component, Migrations migrations) {
    return transact(context, MigrationBody(component, migrations));
}

task<Result<void>> SqliteDatabase::check(Context& context, std::vector<DeclaredStatement> statements) {
    if (context.cancelled()) co_return context.reason();
    for (const auto& statement : statements) {
        const auto columns = reader_->columns_of(statement.sql);
        if (!columns) co_return error_in(statement, columns.error().message());
        co_await must(check_columns(statement, *columns));
    }
    co_return Result<void>();
}

std::unique_ptr<SignalSubscription> SqliteDatabase::on_signal(std::string_view name, std::function<void()> callback) {
    if (auto* turns = file_->turns(); turns && !look_.armed()) {
        signals_seen_ = turns->foreign_signals();
        look_.arm(client_->world().monotonic() + kLookForSignalsEvery);
    }
    return client_->subscribe(name, std::move(callback));
}

/// Which signals other processes gave nobody tells: whoever listens looks.
void SqliteDatabase::look_for_signals(void* self) {
    auto& database = *static_cast<SqliteDatabase*>(self);
    if (!database.client_->has_listeners()) return;
    database.look_.arm(database.client_->world().monotonic() + kLookForSignalsEvery);
    const auto signals = database.file_->turns()->foreign_signals();
    if (signals <= database.signals_seen_) return;
    database.signals_seen_ = signals;
    database.client_->call_all();
}

task<Result<void>> SqliteDatabase::transact_erased(Context& context, std::shared_ptr<TransactionBody> body) {
    if (context.cancelled()) co_return context.reason();
    World& world = context.world();
    TimeSpent::Interval waiting(context, TimeSpent::On::database);
    auto request = std::make_shared<WriteRequest>();
    request->body = std::move(body);
    request->now = world.now();
    request->trace = context.trace;
    request->id_seed = {world.random(), world.random()};
    request->client = client_;
    if (auto submitted = file_->writer().submit(request); !submitted) co_return std::move(submitted.error());
    co_return co_await Written(context, file_->writer(), std::move(request), waiting);
}

task<Result<void>> SqliteDatabase::read_erased(Context& context, ReadKind kind, std::string_view sql,
                                               std::vector<SqlValue> arguments, RowCallback row) {
    if (context.cancelled()) co_return context.reason();
    if (kind == ReadKind::scan)
        co_return co_await scan(context, std::string(sql), std::move(arguments), std::move(row));
    auto done = reader_->run(sql, arguments, row);
    if (!done) co_return std::move(done.error());
    co_return Result<void>();
}

namespace {

/// Stops a scan whose caller has gone, whichever way.
class CancelOnExit {
public:
    CancelOnExit() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
    CancelOnExit(const CancelOnExit&) = delete;
    CancelOnExit& operator=(const CancelOnExit&) = delete;
    ~CancelOnExit() { flag_->store(true); }
    std::shared_ptr<const std::atomic<bool>> flag() const { return flag_; }

private:
    std::shared_ptr<std::atomic<bool>> flag_;
};

} // namespace

task<Result<void>> SqliteDatabase::scan(Context& context, std::string sql, std::vector<SqlValue> arguments,
                                        RowCallback row) {
    const CancelOnExit cancel;
    // The work may outlive this frame and this object: it owns all it touches.
    co_return co_await offload(context,
                               [readers = file_->readers(), cancelled = cancel.flag(), sql = std::move(sql),
                                arguments = std::move(arguments), row = std::move(row)]() -> Result<void> {
                                   auto connection = readers->take();
                                   if (!connection) return std::move(connection.error());
                                   (*connection)->set_cancel_flag(cancelled.get());
                                   auto done = (*connection)->run(sql, arguments, row);
                                   (*connection)->set_cancel_flag(nullptr);
                                   readers->give_back(std::move(*connection));
                                   if (!done) return std::move(done.error());
                                   return {};
                               });
}

} // namespace flotilla::sqlite
