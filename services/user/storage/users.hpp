#pragma once

#include <flotilla/store/backfill.hpp>
#include <flotilla/store/table.hpp>

#include "services/user/api/user.hpp"

namespace user::storage {

/// A user with what makes the address unique: mail_address_key() of it.
struct UserRow {
    std::string id, email, email_identity, name;
    Timestamp created_at;
    std::optional<std::string> bio;

    bool operator==(const UserRow&) const = default;
};

inline constexpr Table<Versioned<UserRow>> users{"users"};
inline constexpr Query<Versioned<User>, std::string> user_of{"FROM users WHERE id = $1"};
/// Who has an address, by its key.
inline constexpr Query<std::string, std::string> id_of{"SELECT id FROM users WHERE email_identity = $1"};
inline constexpr Query<UserRow, std::string, std::size_t> users_after{"FROM users WHERE id > $1 ORDER BY id LIMIT $2"};
/// Changes nothing when another user has it.
inline constexpr Statement<std::string, std::string> set_identity{
    "UPDATE users SET email_identity = $2 WHERE id = $1"
    " AND NOT EXISTS (SELECT 1 FROM users WHERE email_identity = $2)"};

/// Identities were ASCII's lower case once: they are computed again as mail_address_key() says. Of users who turn out
/// to have one address the first to be looked at gets its key; each other stays as it is, with a warning, and nobody
/// new can take the address.
Backfills backfills();

} // namespace user::storage
