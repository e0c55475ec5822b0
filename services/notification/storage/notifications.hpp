#pragma once

#include <flotilla/store/table.hpp>

#include "services/notification/api/notification.hpp"

namespace notification::storage {

inline constexpr Table<Notification> notifications{"notifications"};
inline constexpr Table<Preferences> preferences{"preferences"};

/// Notes what a user is told, under the next number. Changes nothing when the same event, or the same of the same
/// order, was noted before.
inline constexpr Statement<std::string, std::string, Template, State, Timestamp, std::optional<std::string>,
                           std::optional<std::string>>
    note{"INSERT INTO notifications (id, user_id, kind, state, created_at, order_id, reason, number)"
         " VALUES ($1, $2, $3, $4, $5, $6, $7,"
         " (SELECT coalesce(max(number), 0) + 1 FROM notifications WHERE user_id = $2)) ON CONFLICT DO NOTHING"};
inline constexpr Statement<std::string, State, Timestamp> set_state{
    "UPDATE notifications SET state = $2, sent_at = $3 WHERE id = $1"};

/// What concerns a user, oldest first; at most the newest 1,000.
inline constexpr Query<Notification, std::string> notifications_of{
    "FROM (SELECT * FROM notifications WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000) AS newest"
    " ORDER BY created_at, id"};
/// What comes behind a number, in order.
inline constexpr Query<Notification, std::string, std::int64_t, std::int64_t> notifications_after{
    "FROM notifications WHERE user_id = $1 AND number > $2 ORDER BY number LIMIT $3"};
inline constexpr Query<std::int64_t, std::string> last_number{
    "SELECT coalesce(max(number), 0) FROM notifications WHERE user_id = $1"};
inline constexpr Query<Notification, std::string, Template> notification_about{
    "FROM notifications WHERE order_id = $1 AND kind = $2"};

} // namespace notification::storage
