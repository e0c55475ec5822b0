#include "services/user/storage/users.hpp"

#include <flotilla/base/mail_address.hpp>

using namespace flotilla;

namespace user::storage {
namespace {

struct Identity {
    std::string id, email, email_identity;
};

/// False when another user has it.
Result<bool> change_identity(Transaction& tx, const std::string& id, const std::string& identity) {
    auto changed = tx.execute("UPDATE users SET email_identity = $2 WHERE id = $1"
                              " AND NOT EXISTS (SELECT 1 FROM users WHERE email_identity = $2)",
                              id, identity);
    if (!changed) return std::move(changed.error());
    return *changed > 0;
}

Result<BackfillStep> fold_identities(Transaction& tx, const std::string& after) {
    constexpr std::int64_t kRows = 1000;
    auto users = tx.select<Identity>("SELECT id, email, email_identity FROM users WHERE id > $1 ORDER BY id LIMIT $2",
                                     after, kRows);
    if (!users) return std::move(users.error());
    BackfillStep step;
    if (users->size() == kRows) step.next = users->back().id;
    for (const auto& user : *users) {
        const auto identity = mail_address_key(user.email);
        if (identity == user.email_identity) continue;
        auto changed = change_identity(tx, user.id, identity);
        if (!changed) return std::move(changed.error());
        if (*changed) {
            ++step.changed;
        } else {
            step.left.push_back("user " + user.id +
                                " has another user's e-mail address, spelled differently; both stay");
        }
    }
    return step;
}

constexpr Backfill kBackfills[] = {{1, "fold_email_identities", fold_identities}};

} // namespace

Backfills backfills() { return kBackfills; }

Result<void> insert(Transaction& tx, const User& user) {
    auto inserted =
        tx.execute("INSERT INTO users (id, email, email_identity, name, created_at) VALUES ($1, $2, $3, $4, $5)",
                   user.id, user.email, mail_address_key(user.email), user.name, user.created_at);
    if (inserted) return {};
    if (inserted.error().code() == "unique_violation") return user_exists;
    return std::move(inserted.error());
}

task<Result<std::optional<User>>> find(Context& context, Database& database, std::string id) {
    return database.find<User>(context, "SELECT id, email, name, created_at FROM users WHERE id = $1", std::move(id));
}

} // namespace user::storage
