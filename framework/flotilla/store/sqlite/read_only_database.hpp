#pragma once

#include <memory>
#include <string_view>

#include <flotilla/store/database.hpp>
#include <flotilla/store/sqlite/connection.hpp>

namespace flotilla::sqlite {

/// A SQLite file as a Database that only reads, also while its owner writes: see open_database_read_only(). All reads
/// run on the loop, without a budget: it is for a program that looks and ends.
class ReadOnlyDatabase final : public Database {
public:
    static Result<std::unique_ptr<Database>> open(World& world, std::string_view url);
    explicit ReadOnlyDatabase(std::unique_ptr<Connection> reader) : reader_(std::move(reader)) {}

    task<Result<void>> migrate(Context&, std::string_view, Migrations) override { co_return refusal(); }
    task<Result<void>> check(Context& context, std::vector<DeclaredStatement> statements) override;
    std::unique_ptr<SignalSubscription> on_signal(std::string_view, std::function<void()>) override {
        return std::make_unique<SignalSubscription>();
    }
    Result<void> health() const override { return {}; }
    bool fully_checked() const override { return true; }
    std::string_view session() const override { return {}; }
    bool has_ended(std::string_view) const override { return false; }
    std::size_t queued() const override { return 0; }
    void report_to(Metrics&) override {}

private:
    static Error refusal();
    task<Result<void>> transact_erased(Context&, std::shared_ptr<TransactionBody>) override { co_return refusal(); }
    task<Result<void>> read_erased(Context& context, ReadKind kind, std::string_view sql,
                                   std::vector<SqlValue> arguments, RowCallback row) override;

    std::unique_ptr<Connection> reader_; ///< null: there is no such file yet
};

} // namespace flotilla::sqlite
