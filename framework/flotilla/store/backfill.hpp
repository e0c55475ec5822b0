#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/observe/log.hpp>
#include <flotilla/store/database.hpp>

namespace flotilla {

/// What one step of a backfill has done.
struct BackfillStep {
    std::optional<std::string> next;    ///< key of the last row looked at; nullopt: there are no more
    std::int64_t changed = 0;           ///< rows
    std::vector<std::string> left = {}; ///< rows that could not be changed, each in words: they become warnings
};

/// Work that a migration cannot do, since SQL cannot: columns computed by C++ are computed again for the rows there
/// are, once per database, after all migrations, before the service serves. It is written against today's tables and
/// must be harmless when it runs twice: a process that ends in the middle begins anew at the next start. New rows need
/// none.
struct Backfill {
    int version;           ///< 1, 2, 3, ... without gaps
    std::string_view name; ///< "fold_email_identities"
    /// Looks at a bounded number of rows behind that key (empty: from the first), in one transaction.
    Result<BackfillStep> (*step)(Transaction& transaction, const std::string& after);
};

using Backfills = std::span<const Backfill>;

/// Runs those that have not been run on this database yet, step by step, each in a transaction of its own, and records
/// them in flotilla_migrations. Requires: the migrations are applied; nobody else runs the component's backfills.
/// Errors: a step's, with the backfill's name; internal when a database has one that this program does not know.
task<Result<void>> run_backfills(Context& context, Database& database, std::string component, Backfills backfills,
                                 Logger log);

} // namespace flotilla
