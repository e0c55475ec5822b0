#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flotilla/store/database.hpp>
#include <flotilla/store/migration.hpp>

namespace flotilla {

/// The transaction body that applies what is missing of one component's migrations, all or nothing, and keeps their
/// checksums in the table flotilla_migrations. Owns its text. For drivers; services call Database::migrate.
/// Requires: nobody else migrates the database meanwhile (SQLite: the writer is one; others take a lock first).
class MigrationBody {
public:
    MigrationBody(std::string_view component, Migrations migrations);
    Result<void> operator()(Transaction& transaction) const;

private:
    struct Step {
        std::int64_t version;
        std::string name, sql, checksum;
    };
    struct Applied {
        std::int64_t version;
        std::string name, checksum;
    };
    Result<void> check_order() const;
    Result<void> check_applied(const std::vector<Applied>& applied) const;
    void apply(Transaction& transaction, const Step& step) const;
    Error error(std::string_view migration, std::string_view problem) const;

    std::string component_;
    std::vector<Step> steps_;
};

} // namespace flotilla
