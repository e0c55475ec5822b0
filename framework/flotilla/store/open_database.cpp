#include <iterator>

#include <fmt/format.h>

#include <flotilla/store/database.hpp>
#include <flotilla/store/sqlite/read_only_database.hpp>
#include <flotilla/store/sqlite/sqlite_database.hpp>

namespace flotilla {

std::string sqlite_url(std::string_view path) {
    std::string url = "sqlite:";
    for (const char c : path) {
        if (c == '%' || c == '?' || c == '#' || static_cast<unsigned char>(c) <= ' ') {
            fmt::format_to(std::back_inserter(url), "%{:02X}", static_cast<unsigned char>(c));
        } else {
            url += c;
        }
    }
    return url;
}

/// The only list of database drivers.
Result<std::unique_ptr<Database>> open_database(World& world, std::string_view url, std::string_view owner) {
    if (url.starts_with("sqlite:")) return sqlite::SqliteDatabase::open(world, url, owner);
    return Error(Kind::invalid, "no driver for the database URL " + std::string(url) + "; expected sqlite:PATH");
}

Result<std::unique_ptr<Database>> open_database_read_only(World& world, std::string_view url) {
    if (url.starts_with("sqlite:")) return sqlite::ReadOnlyDatabase::open(world, url);
    return Error(Kind::invalid, "no driver for the database URL " + std::string(url) + "; expected sqlite:PATH");
}

} // namespace flotilla
