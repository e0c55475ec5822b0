#include <flotilla/store/sqlite/sqlite_error.hpp>

#include <sqlite3.h>

#include <flotilla/store/sql_text.hpp>
#include <flotilla/store/sqlite/file_damage.hpp>

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

/// What may pass by itself or once somebody makes room or gives permission. An I/O error that is none of the damage
/// below concerns writing: whether that goes again is found out by writing.
bool passing(int primary) {
    switch (primary) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
        return true;
    default:
        return false;
    }
}

/// What does not pass: what is on the disk is not what was written, cannot be read, or is not there any more.
bool lasting(int primary, int extended) {
    switch (extended) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
    case SQLITE_IOERR_VNODE:
    case SQLITE_READONLY_DBMOVED:
        return true;
    default:
        return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
    }
}

/// The file as the connection was given it.
std::string_view file_of(sqlite3* handle) {
    const char* name = sqlite3_db_filename(handle, "main");
    return name ? name : "in memory";
}

} // namespace

Error sqlite_error(sqlite3* handle, Role role, std::string_view sql) {
    const int extended = sqlite3_extended_errcode(handle);
    const int primary = extended & 0xff;
    const std::string message = sqlite3_errmsg(handle);
    if (primary == SQLITE_CONSTRAINT) return constraint_error(extended, message);
    if (extended == SQLITE_READONLY && role != Role::writer) {
        return {Kind::internal, "a read must not write; use transact(): " + sql::shortened(sql)};
    }
    if (lasting(primary, extended)) return FileDamage::error(file_of(handle), message);
    if (passing(primary)) return {Kind::unavailable, "the database cannot serve: " + message};
    return {Kind::internal, message + ": " + sql::shortened(sql)};
}

} // namespace flotilla::sqlite
