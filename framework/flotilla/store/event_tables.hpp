#pragma once

#include <flotilla/store/migration.hpp>

namespace flotilla {

/// The event store's tables, for services that have one: events, snapshots, checkpoints. Apply as component "events".
Migrations event_migrations();

} // namespace flotilla
