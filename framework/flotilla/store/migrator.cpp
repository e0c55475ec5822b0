#include <flotilla/store/migrator.hpp>

#include <fmt/format.h>

#include <flotilla/store/sql_text.hpp>

namespace flotilla {
namespace {

constexpr Statement<> kTable{R"sql(CREATE TABLE IF NOT EXISTS flotilla_migrations (
    component TEXT NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (component, version)
))sql"};

constexpr Statement<std::string, std::int64_t, std::string, std::string, Timestamp> kRecord{
    "INSERT INTO flotilla_migrations (component, version, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)"};

/// FNV-1a, 64 bits: it notices edits, it does not withstand attackers.
std::string checksum(std::string_view text) {
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return fmt::format("{:016x}", hash);
}

} // namespace

MigrationBody::MigrationBody(std::string_view component, Migrations migrations) : component_(component) {
    for (const auto& migration : migrations) {
        steps_.push_back(
            {migration.version, std::string(migration.name), std::string(migration.sql), checksum(migration.sql)});
    }
}

Error MigrationBody::error(std::string_view migration, std::string_view problem) const {
    return {Kind::internal, fmt::format("migration {} of {}: {}", migration, component_, problem)};
}

Result<void> MigrationBody::check_order() const {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const auto expected = static_cast<std::int64_t>(i + 1);
        if (steps_[i].version == expected) continue;
        return error(steps_[i].name, fmt::format("has version {}, expected {}: versions are 1, 2, 3, ... without gaps",
                                                 steps_[i].version, expected));
    }
    return {};
}

Result<void> MigrationBody::check_applied(const std::vector<Applied>& applied) const {
    for (std::size_t i = 0; i < applied.size(); ++i) {
        const auto& row = applied[i];
        if (row.version != static_cast<std::int64_t>(i + 1)) {
            return error(row.name, fmt::format("was applied, but version {} before it was not", i + 1));
        }
        if (i >= steps_.size())
            return error(row.name, "was applied, but this program does not have it; it is older than its database");
        if (steps_[i].checksum != row.checksum) {
            return error(steps_[i].name, "has changed since it was applied; put it back and write a new one");
        }
    }
    return {};
}

void MigrationBody::apply(Transaction& transaction, const Step& step) const {
    for (const auto statement : sql::split_statements(step.sql)) {
        // Seeds may end in RETURNING or be queries: rows are of no interest here.
        const auto done = transaction.run(statement, {}, [](const SqlRow&) { return Result<void>(); });
        if (!done) {
            return transaction.explain(
                error(step.name, fmt::format("{} (in: {})", done.error().message(), sql::shortened(statement))));
        }
    }
    transaction.execute(kRecord, component_, step.version, step.name, step.checksum, transaction.now());
}

Result<void> MigrationBody::operator()(Transaction& transaction) const {
    if (auto ordered = check_order(); !ordered) return ordered;
    transaction.execute(kTable);
    static constexpr Query<Applied, std::string> kApplied{
        "SELECT version, name, checksum FROM flotilla_migrations WHERE component = $1 ORDER BY version"};
    const auto applied = transaction.select(kApplied, component_);
    if (auto checked = check_applied(applied); !checked) return checked;
    for (std::size_t i = applied.size(); i < steps_.size() && !transaction.failed(); ++i)
        apply(transaction, steps_[i]);
    return {};
}

} // namespace flotilla
