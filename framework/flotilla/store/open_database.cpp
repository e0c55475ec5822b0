#include <flotilla/store/database.hpp>
#include <flotilla/store/sqlite/sqlite_database.hpp>

namespace flotilla {

/// The only list of database drivers.
Result<std::unique_ptr<Database>> open_database(World& world, std::string_view url, std::string_view owner) {
    if (url.starts_with("sqlite:")) return sqlite::SqliteDatabase::open(world, url, owner);
    return Error(Kind::invalid, "no driver for the database URL " + std::string(url) + "; expected sqlite:PATH");
}

} // namespace flotilla
