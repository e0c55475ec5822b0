#include <flotilla/store/framework_tables.hpp>

#include <array>

namespace flotilla {
namespace {

// Times are BIGINT microseconds since the Unix epoch. Partial indexes and ON CONFLICT exist on both engines.

// One row per answered request; written in the commit that answers it.
constexpr std::string_view kIdempotency = R"sql(
CREATE TABLE flotilla_idempotency (
    endpoint TEXT NOT NULL,
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    response TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (endpoint, caller, key)
);
CREATE INDEX flotilla_idempotency_recorded_at ON flotilla_idempotency (recorded_at);
)sql";

// state: queued -> running -> done | parked, or back to queued for another try. attempts counts the tries begun,
// failures those that count towards parking; both grow before a try, so that a crash counts too, and failures shrinks
// again when only the outside world was down. What runs under an earlier epoch of the database's role goes back to
// queued.
constexpr std::string_view kJobs = R"sql(
CREATE TABLE flotilla_jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'parked')),
    attempts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    enqueued_at BIGINT NOT NULL,
    finished_at BIGINT,
    last_error TEXT,
    UNIQUE (kind, key)
);
CREATE INDEX flotilla_jobs_due_at ON flotilla_jobs (due_at, kind) WHERE state = 'queued';
CREATE INDEX flotilla_jobs_running ON flotilla_jobs (id) WHERE state = 'running';
CREATE INDEX flotilla_jobs_parked ON flotilla_jobs (kind) WHERE state = 'parked';
CREATE INDEX flotilla_jobs_finished_at ON flotilla_jobs (finished_at) WHERE state = 'done';
)sql";

// position orders the events of one database. It is left out of the INSERT, and the engine makes it up (see
// sql::for_sqlite): above those of all transactions that had ended, with holes or without, and perhaps committed out of
// order by transactions that ran at once. Rows leave only after they were published, so a waiting row never has a lower
// position than one of a transaction that ended before its own; positions of removed rows may come again.
// sequence is NULL until the relay has numbered the row: 1, 2, 3, ... per (topic, partition).
// published_at is NULL until the bus has accepted the row.
constexpr std::string_view kOutbox = R"sql(
CREATE TABLE flotilla_outbox (
    position BIGINT NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition BIGINT NOT NULL,
    key TEXT NOT NULL,
    sequence BIGINT,
    occurred_at BIGINT NOT NULL,
    traceparent TEXT NOT NULL,
    payload TEXT NOT NULL,
    published_at BIGINT
);
CREATE INDEX flotilla_outbox_unsequenced ON flotilla_outbox (position) WHERE sequence IS NULL;
CREATE UNIQUE INDEX flotilla_outbox_sequence ON flotilla_outbox (topic, partition, sequence);
CREATE TABLE flotilla_outbox_partitions (
    topic TEXT NOT NULL,
    partition BIGINT NOT NULL,
    next_sequence BIGINT NOT NULL,
    published_sequence BIGINT NOT NULL,
    PRIMARY KEY (topic, partition)
);
)sql";

// sequence: the highest one handled, the high-water mark.
constexpr std::string_view kInbox = R"sql(
CREATE TABLE flotilla_inbox (
    consumer TEXT NOT NULL,
    producer TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (consumer, producer, topic, partition)
);
)sql";

// Messages set aside, with the later ones of their key; message is the whole Message as JSON.
constexpr std::string_view kParked = R"sql(
CREATE TABLE flotilla_parked (
    id TEXT NOT NULL PRIMARY KEY,
    consumer TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition BIGINT NOT NULL,
    producer TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    key TEXT NOT NULL,
    message TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    parked_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX flotilla_parked_place ON flotilla_parked (consumer, producer, topic, partition, sequence);
CREATE INDEX flotilla_parked_key ON flotilla_parked (consumer, topic, key);
)sql";

// A row that waits is in two trees instead of four: position is SQLite's own key, and rows without a number are in no
// index of numbers.
constexpr std::string_view kLeanOutbox = R"sql(
CREATE TABLE flotilla_outbox_lean (
    position BIGINT NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition BIGINT NOT NULL,
    key TEXT NOT NULL,
    sequence BIGINT,
    occurred_at BIGINT NOT NULL,
    traceparent TEXT NOT NULL,
    payload TEXT NOT NULL,
    published_at BIGINT
);
INSERT INTO flotilla_outbox_lean
    (position, event_id, topic, partition, key, sequence, occurred_at, traceparent, payload, published_at)
    SELECT position, event_id, topic, partition, key, sequence, occurred_at, traceparent, payload, published_at
    FROM flotilla_outbox ORDER BY position;
DROP TABLE flotilla_outbox;
ALTER TABLE flotilla_outbox_lean RENAME TO flotilla_outbox;
CREATE INDEX flotilla_outbox_unsequenced ON flotilla_outbox (position) WHERE sequence IS NULL;
CREATE UNIQUE INDEX flotilla_outbox_sequence ON flotilla_outbox (topic, partition, sequence) WHERE sequence IS NOT NULL;
)sql";

// What waits is found by its own index, whatever else the table keeps: without statistics (nobody runs ANALYZE) SQLite
// took the index of UNIQUE (kind, key) for a kind's due jobs, which holds every job of that kind there ever was.
// flotilla_job_counts holds one row per kind, kept by the statements that change a job's state: counting would read
// whatever waits.
constexpr std::string_view kJobQueue = R"sql(
DROP INDEX flotilla_jobs_due_at;
CREATE INDEX flotilla_jobs_waiting ON flotilla_jobs (kind, due_at) WHERE state = 'queued';
CREATE INDEX flotilla_jobs_retried ON flotilla_jobs (enqueued_at) WHERE state = 'queued' AND attempts > 0;
DROP INDEX flotilla_jobs_parked;
CREATE INDEX flotilla_jobs_parked ON flotilla_jobs (kind, finished_at) WHERE state = 'parked';
CREATE TABLE flotilla_job_counts (
    kind TEXT NOT NULL PRIMARY KEY,
    queued BIGINT NOT NULL,
    parked BIGINT NOT NULL
);
INSERT INTO flotilla_job_counts (kind, queued, parked)
    SELECT kind, count(*), 0 FROM flotilla_jobs WHERE state = 'queued' GROUP BY kind;
INSERT INTO flotilla_job_counts (kind, queued, parked)
    SELECT kind, 0, count(*) FROM flotilla_jobs WHERE state = 'parked' GROUP BY kind
    ON CONFLICT (kind) DO UPDATE SET parked = excluded.parked;
)sql";

// Parked events are read back in the order of their place, and the longest parked one is looked up.
constexpr std::string_view kParkedOrder = R"sql(
DROP INDEX flotilla_parked_place;
CREATE UNIQUE INDEX flotilla_parked_place ON flotilla_parked (consumer, topic, partition, producer, sequence);
CREATE INDEX flotilla_parked_since ON flotilla_parked (consumer, topic, partition, parked_at);
)sql";

// Who does the work that only one host at a time may do (see store/role.hpp), and in which of its holder's epochs a job
// was taken: one of an earlier epoch runs nowhere any more.
constexpr std::string_view kRoles = R"sql(
CREATE TABLE flotilla_roles (
    role TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    holder TEXT NOT NULL,
    session TEXT NOT NULL,
    asked BIGINT NOT NULL,
    answered BIGINT NOT NULL
);
ALTER TABLE flotilla_jobs ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
DROP INDEX flotilla_jobs_running;
CREATE INDEX flotilla_jobs_running ON flotilla_jobs (epoch) WHERE state = 'running';
)sql";

// What the answer's ETag was: version is that of the resource, NULL where it has none.
constexpr std::string_view kRecordedVersion = R"sql(
ALTER TABLE flotilla_idempotency ADD COLUMN version BIGINT;
)sql";

constexpr std::array kMigrations{
    Migration{1, "0001_idempotency", kIdempotency},
    Migration{2, "0002_jobs", kJobs},
    Migration{3, "0003_outbox", kOutbox},
    Migration{4, "0004_inbox", kInbox},
    Migration{5, "0005_parked", kParked},
    Migration{6, "0006_lean_outbox", kLeanOutbox},
    Migration{7, "0007_job_queue", kJobQueue},
    Migration{8, "0008_parked_order", kParkedOrder},
    Migration{9, "0009_roles", kRoles},
    Migration{10, "0010_recorded_version", kRecordedVersion},
};

} // namespace

Migrations framework_migrations() { return kMigrations; }

} // namespace flotilla
