#pragma once

#include <flotilla/store/backfill.hpp>
#include <flotilla/store/database.hpp>

#include "services/user/api/user.hpp"

namespace user::storage {

/// Identities were ASCII's lower case once: they are computed again as mail_address_key() says. Of users who turn out
/// to have one address the first to be looked at gets its key; each other stays as it is, with a warning, and nobody
/// new can take the address.
flotilla::Backfills backfills();

/// Errors: user_exists when another user has the same e-mail identity.
flotilla::Result<void> insert(flotilla::Transaction& tx, const User& user);

/// The user, or none.
flotilla::task<flotilla::Result<std::optional<User>>> find(flotilla::Context& context, flotilla::Database& database,
                                                           std::string id);

} // namespace user::storage
