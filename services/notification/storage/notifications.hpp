#pragma once

#include <flotilla/store/table.hpp>

#include "services/notification/api/notification.hpp"

namespace notification::storage {

inline constexpr Table<Notification> notifications{"notifications"};
inline constexpr Statement<std::string, State, Timestamp> set_state{
    "UPDATE notifications SET state = $2, sent_at = $3 WHERE id = $1"};

/// What concerns a user, oldest first; at most the newest 1,000.
inline constexpr Query<Notification, std::string> notifications_of{
    "FROM (SELECT * FROM notifications WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000) AS newest"
    " ORDER BY created_at, id"};

} // namespace notification::storage
