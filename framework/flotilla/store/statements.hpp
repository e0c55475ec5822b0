#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/store/sql_value.hpp>

namespace flotilla {

using RowCallback = std::function<Result<void>(const SqlRow&)>;

/// Something that runs statements of the shared dialect (`$1`, `$2`, ...), each prepared once per connection: a
/// Transaction, or a driver's connection.
/// Errors of every statement: conflict `unique_violation` | `foreign_key_violation` | `check_violation`;
/// unavailable (disk full, busy, connection lost: may pass); internal `database_damaged` (does not pass: somebody has
/// to put a backup in its place); internal (bad SQL: a bug).
class Statements {
public:
    virtual ~Statements() = default;

    /// Runs a statement without result rows. Returns how many rows it changed.
    template <class... Arguments>
    Result<std::int64_t> execute(std::string_view sql, const Arguments&... arguments) {
        const std::array<SqlValue, sizeof...(Arguments)> values{SqlValue(arguments)...};
        return run(sql, values, nullptr);
    }
    /// The only row, or none. More than one is an internal error.
    template <class T, class... Arguments>
    Result<std::optional<T>> find(std::string_view sql, const Arguments&... arguments) {
        auto rows = select<T>(sql, arguments...);
        if (!rows) return std::move(rows.error());
        if (rows->size() > 1) return Error(Kind::internal, "a query for one row gave several: " + std::string(sql));
        if (rows->empty()) return std::optional<T>();
        return std::optional<T>(std::move(rows->front()));
    }
    /// All rows, in order; T is a described struct (columns by name) or a scalar (one column).
    template <class T, class... Arguments>
    Result<std::vector<T>> select(std::string_view sql, const Arguments&... arguments) {
        const std::array<SqlValue, sizeof...(Arguments)> values{SqlValue(arguments)...};
        std::vector<T> rows;
        auto done = run(sql, values, [&rows](const SqlRow& row) -> Result<void> {
            T value{};
            if (auto decoded = decode_row(row, descriptor_of<T>, &value); !decoded) return decoded;
            rows.push_back(std::move(value));
            return {};
        });
        if (!done) return std::move(done.error());
        return rows;
    }

    /// The untyped statement; row is called once per result row and must be null for statements without rows.
    /// Returns the number of changed rows.
    virtual Result<std::int64_t> run(std::string_view sql, std::span<const SqlValue> arguments,
                                     const RowCallback& row) = 0;
};

} // namespace flotilla
