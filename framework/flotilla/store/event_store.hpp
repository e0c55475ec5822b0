#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <flotilla/contract/aggregate.hpp>
#include <flotilla/store/database.hpp>

/// The event store of a service's database: what happened to its aggregates, for ever, in streams and in one order.
/// host.events({orders}) declares the aggregates and makes the tables. See docs/guides/event-sourcing.md,
/// docs/adr/0014.
///
/// Positions. Every event has a global position, growing, unique, perhaps with holes. A reader never passes a position
/// that commits later: it asks events::head() first and goes no further. On SQLite there is one writer, so that
/// positions are given in the order of the commits, and the last one that is visible is the head. A driver of an engine
/// with concurrent writers keeps that promise below this header: an append takes a lock in shared mode for its
/// transaction before it draws its position, and the head is the last position drawn before that lock was had
/// exclusively for a moment, when whoever had drawn one has committed or gone. No timeout decides that a gap will stay
/// one: that is how others skip events when a commit is slow.
namespace flotilla {

/// An event as it is stored.
struct StoredEvent {
    std::int64_t position = 0; ///< over all streams
    std::string stream;        ///< "order-0192..."
    std::int64_t version = 0;  ///< in its stream: 1, 2, 3, ... without gaps
    std::string type;
    int schema_version = 1;
    std::optional<std::string> message_id; ///< of the append, where it had one
    Timestamp occurred_at;
    std::string traceparent;
    std::string payload; ///< JSON, as of schema_version

    /// The id in the stream's name: what follows the aggregate's.
    std::string_view id_in(const AggregateInfo& aggregate) const {
        return std::string_view(stream).substr(std::min(stream.size(), aggregate.name.size() + 1));
    }
};

struct AppendOptions {
    /// What caused these events (a message's id, a command's key): a second append with it to the same stream does
    /// nothing. Empty: each append counts.
    std::string message_id = {};
};

/// What an append has done.
struct Appended {
    std::int64_t version = 0;  ///< of the last event
    std::int64_t position = 0; ///< of the last event; for ReadModel::caught_up
    bool repeated = false;     ///< a former append with this message id stored them: these are its figures
};

/// An instance of an aggregate as it is in this transaction.
template <class State>
struct Loaded {
    std::string id;
    State state = {};
    std::int64_t version = 0;          ///< of its last event; 0: nothing has happened to it yet
    std::int64_t snapshot_version = 0; ///< of the snapshot that is kept of it and can be read; 0: none

    bool exists() const { return version > 0; }
    const State* operator->() const { return &state; }
};

namespace events {

inline constexpr std::int64_t kNoStream = 0;    ///< expected: the stream has no event yet
inline constexpr std::int64_t kAnyVersion = -1; ///< expected: whatever there is

/// Appends events to a stream whose last version is `expected`: all of them or none, in the transaction's own commit.
/// None at all is fine and does nothing. Wakes what reads the events after the commit. Errors, which end the
/// transaction: conflict `version_conflict`; too_large `event_too_large` for one of more than 4 MiB.
Appended append(Transaction& transaction, std::string_view stream, std::int64_t expected, const NewEvents& happened,
                const AppendOptions& options = {});

/// Wakes who waits for events, after the commit.
inline constexpr std::string_view kSignal = "events";

/// Events of a stream behind a version, at most so many: for transactions and for Database::select.
inline constexpr Query<StoredEvent, std::string_view, std::int64_t, std::int64_t> of_stream{
    "SELECT position, stream, version, type, schema_version, message_id, occurred_at, traceparent, payload "
    "FROM flotilla_events WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3"};
/// Events of all streams behind a position, up to another one (not beyond head()), at most so many.
inline constexpr Query<StoredEvent, std::int64_t, std::int64_t, std::int64_t> of_all{
    "SELECT position, stream, version, type, schema_version, message_id, occurred_at, traceparent, payload "
    "FROM flotilla_events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"};

/// The position up to which all that was committed is there, and behind which nothing comes any more; 0: no events.
task<Result<std::int64_t>> head(Context& context, Database& database);

} // namespace events

namespace detail {
/// Snapshot and later events into a fresh state. Returns (version, snapshot's version).
std::pair<std::int64_t, std::int64_t> load_state(Transaction& transaction, const AggregateInfo& aggregate,
                                                 std::string_view id, void* state);
Appended append_to(Transaction& transaction, const AggregateInfo& aggregate, std::string_view id, void* state,
                   std::int64_t& version, std::int64_t& snapshot_version, const NewEvents& happened,
                   const AppendOptions& options);
} // namespace detail

/// What has become of the instance with that id: its snapshot, where there is one, and the events behind it. What it
/// costs is bounded by AggregateOptions::snapshot_every. Errors, which end the transaction: internal
/// `event_not_readable`.
template <class State>
Loaded<State> load(Transaction& transaction, const Aggregate<State>& aggregate, std::string_view id) {
    Loaded<State> loaded{.id = std::string(id)};
    std::tie(loaded.version, loaded.snapshot_version) = detail::load_state(transaction, aggregate, id, &loaded.state);
    return loaded;
}

/// Appends what has happened to it, at the version it was loaded with, and makes it what it is now:
/// `append(tx, orders, order, {confirmed, {.by = user}});`, or with the NewEvents that a rule of the domain returned.
/// A fresh `Loaded<OrderState>{.id = tx.new_id()}` begins a new stream. Keeps a snapshot when one is due. When it is
/// `repeated` the instance stays as it is. Errors: as events::append; internal for a type that the aggregate has not.
template <class State>
Appended append(Transaction& transaction, const Aggregate<State>& aggregate, Loaded<State>& instance,
                const NewEvents& happened, const AppendOptions& options = {}) {
    return detail::append_to(transaction, aggregate, instance.id, &instance.state, instance.version,
                             instance.snapshot_version, happened, options);
}

} // namespace flotilla
