#include "services/user/storage/users.hpp"

#include "services/user/domain/email.hpp"

namespace user::storage {

flotilla::Result<void> insert(flotilla::Transaction& tx, const User& user) {
    auto inserted =
        tx.execute("INSERT INTO users (id, email, email_identity, name, created_at) VALUES ($1, $2, $3, $4, $5)",
                   user.id, user.email, email_identity(user.email), user.name, user.created_at);
    if (inserted) return {};
    if (inserted.error().code() == "unique_violation") return user_exists;
    return std::move(inserted.error());
}

flotilla::task<flotilla::Result<std::optional<User>>> find(flotilla::Context& context, flotilla::Database& database,
                                                           std::string id) {
    return database.find<User>(context, "SELECT id, email, name, created_at FROM users WHERE id = $1", std::move(id));
}

} // namespace user::storage
