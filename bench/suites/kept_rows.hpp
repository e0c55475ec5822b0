#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

struct sqlite3;

namespace flotilla::bench {

/// SQL of what differs in each copy of a row, by column; `:i` is the copy's number, 1, 2, 3, ...
using Differences = std::map<std::string, std::string>;

/// A database of a program that does not run, for filling it with what it would have kept after a long time.
/// Throws std::runtime_error with SQLite's message.
class KeptRows {
public:
    explicit KeptRows(const std::filesystem::path& file);
    KeptRows(const KeptRows&) = delete;
    KeptRows& operator=(const KeptRows&) = delete;
    ~KeptRows();

    /// Adds `count` copies of a row of the table, as the program itself wrote it; `where` finds that row. Columns of
    /// `differences` that the table does not have are left out.
    void multiply(const std::string& table, std::int64_t count, const Differences& differences,
                  const std::string& where = "1");
    void run(const std::string& sql);
    std::int64_t number(const std::string& sql);
    /// Writes everything to the file.
    void close();

private:
    sqlite3* handle_ = nullptr;
};

} // namespace flotilla::bench
