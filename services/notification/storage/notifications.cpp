#include "services/notification/storage/notifications.hpp"

namespace notification::storage {

flotilla::Result<void> insert(flotilla::Transaction& tx, const Notification& notification) {
    auto inserted = tx.execute(
        "INSERT INTO notifications (id, user_id, kind, state, created_at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (id) DO NOTHING",
        notification.id, notification.user_id, notification.kind, notification.state, notification.created_at);
    if (!inserted) return std::move(inserted.error());
    return {};
}

flotilla::Result<void> mark_sent(flotilla::Transaction& tx, const std::string& id, flotilla::Timestamp when) {
    auto updated = tx.execute("UPDATE notifications SET state = $2, sent_at = $3 WHERE id = $1", id, State::sent, when);
    if (!updated) return std::move(updated.error());
    return {};
}

flotilla::task<flotilla::Result<std::vector<Notification>>> list(flotilla::Context& context,
                                                                 flotilla::Database& database, std::string user_id) {
    return database.select<Notification>(
        context,
        "SELECT id, user_id, kind, state, created_at, sent_at FROM ("
        "SELECT * FROM notifications WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000"
        ") AS newest ORDER BY created_at, id",
        std::move(user_id));
}

} // namespace notification::storage
