#pragma once

#include <string_view>

#include <flotilla/base/result.hpp>
#include <flotilla/store/sqlite/connection.hpp>

namespace flotilla::sqlite {

/// The connection's latest error as documented at Statements; `sql` goes into the messages that are for developers.
Error sqlite_error(sqlite3* handle, Role role, std::string_view sql);

} // namespace flotilla::sqlite
