#pragma once

#include <flotilla/store/database.hpp>

#include "services/user/api/user.hpp"

namespace user::storage {

/// Errors: user_exists when another user has the same e-mail identity.
flotilla::Result<void> insert(flotilla::Transaction& tx, const User& user);

/// The user, or none.
flotilla::task<flotilla::Result<std::optional<User>>> find(flotilla::Context& context, flotilla::Database& database,
                                                           std::string id);

} // namespace user::storage
