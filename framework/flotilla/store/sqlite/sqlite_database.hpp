#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <flotilla/store/database.hpp>
#include <flotilla/store/sqlite/shared_file.hpp>

namespace flotilla::sqlite {

/// The Database of one loop on a SQLite file. Transactions go to the file's writer, point reads run here on a
/// connection of this object, scans on pooled ones away from the loop.
class SqliteDatabase final : public Database {
public:
    /// Steps of SQLite's virtual machine a point read may take: some hundred rows, a few hundred microseconds.
    static constexpr std::int64_t kPointReadSteps = 20'000;
    /// How late a signal from a commit of another process may come. Each look costs this loop a turn and no system
    /// call.
    static constexpr Duration kLookForSignalsEvery = std::chrono::milliseconds(20);

    static Result<std::unique_ptr<Database>> open(World& world, std::string_view url, std::string_view owner);
    SqliteDatabase(World& world, SharedFile::Handle file, std::unique_ptr<Connection> reader);
    SqliteDatabase(const SqliteDatabase&) = delete;
    SqliteDatabase& operator=(const SqliteDatabase&) = delete;
    ~SqliteDatabase() override;

    task<Result<void>> migrate(Context& context, std::string_view component, Migrations migrations) override;
    task<Result<void>> check(Context& context, std::vector<DeclaredStatement> statements) override;
    std::unique_ptr<SignalSubscription> on_signal(std::string_view name, std::function<void()> callback) override;
    Result<void> health() const override { return file_->writer().health(); }
    bool fully_checked() const override { return file_->fully_checked(); }
    std::string_view session() const override { return file_->session(); }
    bool has_ended(std::string_view session) const override { return file_->has_ended(session); }
    std::size_t queued() const override { return file_->writer().queued(); }
    void report_to(Metrics& metrics) override {
        metrics_ = &metrics;
        file_->writer().report_to(metrics);
    }

    Writer::Statistics statistics() const { return file_->writer().statistics(); }

private:
    class Written;
    static void look_for_signals(void* self);

    task<Result<void>> transact_erased(Context& context, std::shared_ptr<TransactionBody> body) override;
    task<Result<void>> read_erased(Context& context, ReadKind kind, std::string_view sql,
                                   std::vector<SqlValue> arguments, RowCallback row) override;
    task<Result<void>> scan(Context& context, std::string sql, std::vector<SqlValue> arguments, RowCallback row);

    SharedFile::Handle file_;
    std::shared_ptr<WriterClient> client_;
    std::unique_ptr<Connection> reader_;
    Timer look_; ///< at the signals of other processes
    std::int64_t signals_seen_ = 0;
    Metrics* metrics_ = nullptr; ///< the writer, which others may share, reports to them at most as long as this lives
};

} // namespace flotilla::sqlite
