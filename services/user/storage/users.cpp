#include "services/user/storage/users.hpp"

#include <flotilla/base/mail_address.hpp>

namespace user::storage {
namespace {

Result<BackfillStep> fold_identities(Transaction& tx, const std::string& after) {
    constexpr std::size_t kRows = 1000;
    const auto some = tx.select(users_after, after, kRows);
    BackfillStep step;
    if (some.size() == kRows) step.next = some.back().id;
    for (const auto& user : some) {
        const auto identity = mail_address_key(user.email);
        if (identity == user.email_identity) continue;
        if (tx.execute(set_identity, user.id, identity) > 0) {
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

} // namespace user::storage
