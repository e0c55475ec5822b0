#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla::sql {

/// A statement of the shared dialect as SQLite wants it: `$1` as `?1` (it numbers `$n` by occurrence), and a column's
/// `BIGINT PRIMARY KEY` as `INTEGER PRIMARY KEY`, which makes it the table's own key: one tree instead of two. (SQLite
/// then makes up a key that is left out or NULL, where PostgreSQL refuses the row.) Quoted text and comments stay as
/// they are.
std::string for_sqlite(std::string_view text);

/// Splits a script after each `;` that ends a line, outside quoted text and comments. Pieces without a statement
/// (blank, comments only) are left out.
std::vector<std::string_view> split_statements(std::string_view script);

/// INSERT, REPLACE, UPDATE, DELETE, also behind WITH: all that such a statement can change are rows.
bool changes_rows(std::string_view text);

/// Refuses statements that belong to the driver, not to a transaction body or a migration: BEGIN, COMMIT, END,
/// ROLLBACK, SAVEPOINT, RELEASE, PRAGMA, ATTACH, DETACH, VACUUM. Errors: internal, with the text.
Result<void> check_allowed(std::string_view text);

/// The text on one line and not longer than `length_max` bytes, for error messages.
std::string shortened(std::string_view text, std::size_t length_max = 200);

} // namespace flotilla::sql
