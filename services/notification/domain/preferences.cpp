#include "services/notification/domain/preferences.hpp"

namespace notification {

Result<Preferences> chosen(const SetPreferences& wish) {
    if (!wish.welcome.value_or(true)) return mandatory_mail.with("welcome");
    if (!wish.order_confirmed.value_or(true)) return mandatory_mail.with("orderConfirmed");
    if (!wish.order_cancelled.value_or(true)) return mandatory_mail.with("orderCancelled");
    return Preferences{.user_id = wish.user_id, .order_dispatched = wish.order_dispatched.value_or(true)};
}

} // namespace notification
