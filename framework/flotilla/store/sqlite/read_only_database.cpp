#include <flotilla/store/sqlite/read_only_database.hpp>

#include <filesystem>

#include <flotilla/store/sqlite/shared_file.hpp>

namespace flotilla::sqlite {

Result<std::unique_ptr<Database>> ReadOnlyDatabase::open(World&, std::string_view url) {
    auto location = Location::parse(url);
    if (!location) return std::move(location.error());
    std::error_code unreadable;
    if (!std::filesystem::exists(location->path, unreadable)) return std::make_unique<ReadOnlyDatabase>(nullptr);
    auto reader = Connection::open(location->path, {.role = Role::reader, .vfs = location->vfs});
    if (!reader) return std::move(reader.error());
    return std::make_unique<ReadOnlyDatabase>(std::move(*reader));
}

Error ReadOnlyDatabase::refusal() { return Error(Kind::unavailable, "the database was opened for reading"); }

task<Result<void>> ReadOnlyDatabase::check(Context& context, std::vector<DeclaredStatement> statements) {
    co_await must(context.check());
    if (!reader_) co_return Result<void>();
    for (const auto& statement : statements) {
        const auto columns = reader_->columns_of(statement.sql);
        if (!columns) co_return error_in(statement, columns.error().message());
        co_await must(check_columns(statement, *columns));
    }
    co_return Result<void>();
}

task<Result<void>> ReadOnlyDatabase::read_erased(Context& context, ReadKind, std::string_view sql,
                                                 std::vector<SqlValue> arguments, RowCallback row) {
    co_await must(context.check());
    if (!reader_) co_return Result<void>();
    auto done = reader_->run(sql, arguments, row);
    if (!done) co_return std::move(done.error());
    co_return Result<void>();
}

} // namespace flotilla::sqlite
