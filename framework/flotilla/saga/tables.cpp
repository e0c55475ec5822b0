#include <flotilla/saga/tables.hpp>

#include <array>

namespace flotilla::saga {
namespace {

// A row per saga: all that is needed to go on with it. Times are BIGINT microseconds since the Unix epoch.
//   status, direction, steps  see view.hpp; step is the current one, empty at the end
//   attempt                   the current step's try, from 1
//   waits                     SEND: the current command is to be sent when it is due; REPLY: it was sent as an event,
//                             and it is due when the answer has come or the time is over
//   uncertain                 1: a try of the current command may have had an effect, whatever a later one says
//   asked                     what a person or the service wants of the engine: '', RETRY, SKIP or ABORT
//   due_at                    NULL: nothing is to be done with it, until it is asked
//   stuck_at                  NULL: it has ended or is parked
//   in_hand                   the epoch of the role whose holder is carrying out the current command; negative: nobody
//                             is, and nobody had it in hand before that epoch's holder, so the command has not left;
//                             0: nobody is, and it may have left
// Only what is in flight is in the indexes of due_at and stuck_at.
constexpr std::string_view kSagas = R"sql(
CREATE TABLE flotilla_sagas (
    id TEXT NOT NULL PRIMARY KEY,
    definition TEXT NOT NULL,
    definition_version BIGINT NOT NULL,
    state TEXT NOT NULL,
    status TEXT NOT NULL,
    direction TEXT NOT NULL,
    step TEXT NOT NULL,
    steps TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    waits TEXT NOT NULL,
    uncertain BIGINT NOT NULL,
    past_pivot BIGINT NOT NULL,
    asked TEXT NOT NULL,
    asked_reason TEXT,
    reason TEXT,
    started_at BIGINT NOT NULL,
    progressed_at BIGINT NOT NULL,
    due_at BIGINT,
    deadline BIGINT,
    stuck_at BIGINT,
    finished_at BIGINT,
    in_hand BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    traceparent TEXT NOT NULL
);
CREATE INDEX flotilla_sagas_due ON flotilla_sagas (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX flotilla_sagas_stuck ON flotilla_sagas (stuck_at, id) WHERE stuck_at IS NOT NULL;
CREATE INDEX flotilla_sagas_status ON flotilla_sagas (status, definition, id);
CREATE INDEX flotilla_sagas_finished ON flotilla_sagas (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE flotilla_saga_counts (
    definition TEXT NOT NULL PRIMARY KEY,
    running BIGINT NOT NULL,
    compensating BIGINT NOT NULL,
    parked BIGINT NOT NULL
);
CREATE TABLE flotilla_saga_history (
    saga TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    step TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (saga, number)
);
CREATE TABLE flotilla_saga_replies (
    saga TEXT NOT NULL,
    step TEXT NOT NULL,
    undo BIGINT NOT NULL,
    reply TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (saga, step, undo)
);
CREATE INDEX flotilla_saga_replies_received ON flotilla_saga_replies (received_at);
)sql";

constexpr std::array kMigrations{Migration{1, "0001_sagas", kSagas}};

} // namespace

Migrations migrations() { return kMigrations; }

} // namespace flotilla::saga
