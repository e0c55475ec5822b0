#include "bench/suites/kept_rows.hpp"

#include <sqlite3.h>

#include <stdexcept>

#include <fmt/format.h>

namespace flotilla::bench {
namespace {

void replace_all(std::string& text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

} // namespace

KeptRows::KeptRows(const std::filesystem::path& file) {
    if (sqlite3_open_v2(file.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
        const std::string why = sqlite3_errmsg(handle_);
        sqlite3_close_v2(handle_);
        throw std::runtime_error("cannot open " + file.string() + ": " + why);
    }
    // If this is cut off the file is thrown away with the whole benchmark.
    run("PRAGMA journal_mode = DELETE");
    run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144");
}

KeptRows::~KeptRows() { sqlite3_close_v2(handle_); }

void KeptRows::run(const std::string& sql) {
    char* message = nullptr;
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &message) == SQLITE_OK) return;
    const std::string why = message ? message : "?";
    sqlite3_free(message);
    throw std::runtime_error(why + " in: " + sql);
}

std::int64_t KeptRows::number(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
        throw std::runtime_error(std::string(sqlite3_errmsg(handle_)) + " in: " + sql);
    const bool found = sqlite3_step(statement) == SQLITE_ROW;
    const auto number = found ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (!found) throw std::runtime_error("no row: " + sql);
    return number;
}

void KeptRows::multiply(const std::string& table, std::int64_t count, const Differences& differences,
                        const std::string& where) {
    std::string columns, values;
    const auto add = [&](const std::string& column) {
        const auto difference = differences.find(column);
        auto value = difference == differences.end() ? "sample.\"" + column + "\"" : difference->second;
        replace_all(value, ":i", "n.value");
        columns += (columns.empty() ? "\"" : ", \"") + column + "\"";
        values += (values.empty() ? "" : ", ") + value;
    };
    sqlite3_stmt* statement = nullptr;
    const auto listing = fmt::format("SELECT name FROM pragma_table_info('{}')", table);
    if (sqlite3_prepare_v2(handle_, listing.c_str(), -1, &statement, nullptr) != SQLITE_OK)
        throw std::runtime_error(sqlite3_errmsg(handle_));
    while (sqlite3_step(statement) == SQLITE_ROW)
        add(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)));
    sqlite3_finalize(statement);
    if (number(fmt::format("SELECT count(*) FROM {} WHERE {}", table, where)) == 0)
        throw std::runtime_error("there is no row to copy in " + table);
    run(fmt::format("INSERT INTO {0} ({1}) WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n "
                    "WHERE value < {2}) SELECT {3} FROM n, (SELECT * FROM {0} WHERE {4} LIMIT 1) AS sample",
                    table, columns, count, values, where));
}

void KeptRows::close() {
    if (sqlite3_close(handle_) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(handle_));
    handle_ = nullptr;
}

} // namespace flotilla::bench
