#pragma once

#include <span>
#include <string_view>

namespace flotilla {

/// One numbered SQL file, embedded in the binary (CMake: flotilla_embed_migrations).
/// SQL is the shared dialect of DESIGN §6; statements are separated by `;` at line ends.
struct Migration {
    int version;           ///< 1, 2, 3, ... without gaps
    std::string_view name; ///< "0001_create_orders"
    std::string_view sql;
};

using Migrations = std::span<const Migration>;

} // namespace flotilla
