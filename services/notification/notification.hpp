#pragma once

#include <flotilla/service/host.hpp>

namespace notification {

/// Installs the notification service: it listens, and sends mails. Settings: `smtp` (URL), `mail_from`. See README.md.
void install(flotilla::Host& host);

} // namespace notification
