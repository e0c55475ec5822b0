#pragma once

#include <flotilla/store/database.hpp>

#include "services/notification/api/notification.hpp"

namespace notification::storage {

/// Nothing when there is one of that id: an event of a program that numbers none may come twice.
flotilla::Result<void> insert(flotilla::Transaction& tx, const Notification& notification);
flotilla::Result<void> mark_sent(flotilla::Transaction& tx, const std::string& id, flotilla::Timestamp when);
/// What concerns a user, oldest first; at most the newest 1,000.
flotilla::task<flotilla::Result<std::vector<Notification>>> list(flotilla::Context& context,
                                                                 flotilla::Database& database, std::string user_id);

} // namespace notification::storage
