#pragma once

#include <flotilla/base/duration.hpp>
#include <flotilla/store/sqlite/connection.hpp>

namespace flotilla::sqlite {

/// How long a start may take longer for looking through its database: some 800 MB.
inline constexpr Duration kStartCheck = std::chrono::seconds(1);

/// Looks through all pages of a database (PRAGMA quick_check), at most that long. Answers whether it saw all of them;
/// the rest shows when it is used, and in the next backup, which checks its copies. Errors: database_damaged, with what
/// SQLite found; as statements'. Requires: the connection is used by nobody else.
Result<bool> check_file(Connection& connection, Duration patience = kStartCheck);

} // namespace flotilla::sqlite
