#pragma once

#include <flotilla/store/migration.hpp>

namespace flotilla {

/// The framework's own tables in every service database: idempotency, jobs, outbox, inbox, parked messages,
/// roles.
/// Apply as component "flotilla". All names start with `flotilla_`.
Migrations framework_migrations();

} // namespace flotilla
