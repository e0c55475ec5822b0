#include <flotilla/store/event_tables.hpp>

#include <array>

namespace flotilla {
namespace {

// position is left out of the INSERT, and the engine makes it up. Events are never removed: on SQLite each one is the
// highest there is and one more, given by the only writer, so that positions are in the order of the commits.
// Partial indexes: an append without a message id is in none of them.
constexpr std::string_view kEvents = R"sql(
CREATE TABLE flotilla_events (
    position BIGINT NOT NULL PRIMARY KEY,
    stream TEXT NOT NULL,
    version BIGINT NOT NULL,
    type TEXT NOT NULL,
    schema_version BIGINT NOT NULL,
    message_id TEXT,
    occurred_at BIGINT NOT NULL,
    traceparent TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE UNIQUE INDEX flotilla_events_stream ON flotilla_events (stream, version);
CREATE UNIQUE INDEX flotilla_events_message ON flotilla_events (stream, message_id, version)
    WHERE message_id IS NOT NULL;
)sql";

// The state after the event of that version; state_version and shape tell whether it can still be read.
constexpr std::string_view kSnapshots = R"sql(
CREATE TABLE flotilla_snapshots (
    stream TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    state_version BIGINT NOT NULL,
    shape BIGINT NOT NULL,
    state TEXT NOT NULL
);
)sql";

// position: the last event that was taken. version 0: a subscription, else a projection's, of which one is live.
constexpr std::string_view kCheckpoints = R"sql(
CREATE TABLE flotilla_checkpoints (
    follower TEXT NOT NULL,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    live BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (follower, version)
);
CREATE UNIQUE INDEX flotilla_checkpoints_live ON flotilla_checkpoints (follower) WHERE live = 1;
)sql";

constexpr std::array kMigrations{
    Migration{1, "0001_events", kEvents},
    Migration{2, "0002_snapshots", kSnapshots},
    Migration{3, "0003_checkpoints", kCheckpoints},
};

} // namespace

Migrations event_migrations() { return kMigrations; }

} // namespace flotilla
