#include <flotilla/store/sqlite/sqlite_error.hpp>

#include <sqlite3.h>

#include <flotilla/store/sql_text.hpp>

namespace flotilla::sqlite {
namespace {

Error constraint_error(int extended, const std::string& message) {
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return {Kind::conflict, "unique_violation", message};
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return {Kind::conflict, "foreign_key_violation", message};
    default:
        return {Kind::conflict, "check_violation", message}; // CHECK, NOT NULL, RAISE of a trigger
    }
}

bool out_of_order(int primary) {
    switch (primary) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
        return true;
    default:
        return false;
    }
}

} // namespace

Error sqlite_error(sqlite3* handle, Role role, std::string_view sql) {
    const int extended = sqlite3_extended_errcode(handle);
    const int primary = extended & 0xff;
    const std::string message = sqlite3_errmsg(handle);
    if (primary == SQLITE_CONSTRAINT) return constraint_error(extended, message);
    if (primary == SQLITE_READONLY && role == Role::reader) {
        return {Kind::internal, "a read must not write; use transact(): " + sql::shortened(sql)};
    }
    if (out_of_order(primary)) return {Kind::unavailable, "the database cannot serve: " + message};
    return {Kind::internal, message + ": " + sql::shortened(sql)};
}

} // namespace flotilla::sqlite
