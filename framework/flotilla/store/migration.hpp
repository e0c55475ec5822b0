#pragma once

#include <span>
#include <string_view>

namespace flotilla {

/// One numbered SQL file, embedded in the binary (CMake: flotilla_embed_migrations).
/// SQL is what SQLite and PostgreSQL both understand: TEXT, BIGINT, INTEGER and DOUBLE PRECISION columns, keys made
/// by the application (on SQLite a BIGINT PRIMARY KEY that is left out is not refused), no triggers, no FOR UPDATE.
/// Statements are separated by `;` at line ends.
struct Migration {
    int version;           ///< 1, 2, 3, ... without gaps
    std::string_view name; ///< "0001_create_orders"
    std::string_view sql;
};

using Migrations = std::span<const Migration>;

} // namespace flotilla
