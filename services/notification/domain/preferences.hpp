#pragma once

#include "services/notification/api/notification.hpp"

namespace notification {

/// Whether a user may do without such mails; nobody's preferences count for the others.
inline bool may_be_switched_off(Template kind) { return kind == Template::order_dispatched; }

/// What a user has chosen. Errors: mandatory_mail.
Result<Preferences> chosen(const SetPreferences& wish);

} // namespace notification
