#include <flotilla/store/event_store.hpp>

#include <flotilla/contract/version_conflict.hpp>

namespace flotilla {
namespace {

/// As of what the bus carries: an event is often published as well.
constexpr std::size_t kPayloadBytesMax = 4 * 1024 * 1024;
/// Events in memory while an instance is loaded.
constexpr std::int64_t kLoadedAtOnce = 256;

struct Place {
    std::int64_t version = 0, position = 0;
};
constexpr Query<Place, std::string_view> kLast{
    "SELECT version, position FROM flotilla_events WHERE stream = $1 ORDER BY version DESC LIMIT 1"};
constexpr Query<Place, std::string_view, std::string_view> kLastOfMessage{
    "SELECT version, position FROM flotilla_events WHERE stream = $1 AND message_id = $2 "
    "ORDER BY version DESC LIMIT 1"};
constexpr Query<std::int64_t, std::string_view, std::int64_t> kPosition{
    "SELECT position FROM flotilla_events WHERE stream = $1 AND version = $2"};
constexpr Query<std::int64_t> kHead{"SELECT coalesce(max(position), 0) FROM flotilla_events"};
constexpr Statement<std::string_view, std::int64_t, std::string_view, int, std::optional<std::string>, Timestamp,
                    std::string_view, std::string_view>
    kAppend{"INSERT INTO flotilla_events (stream, version, type, schema_version, message_id, occurred_at, traceparent, "
            "payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"};

struct Snapshot {
    std::int64_t version = 0, state_version = 0, shape = 0;
    std::string state;
};
constexpr Query<Snapshot, std::string_view> kSnapshot{
    "SELECT version, state_version, shape, state FROM flotilla_snapshots WHERE stream = $1"};
constexpr Statement<std::string_view, std::int64_t, std::int64_t, std::int64_t, std::string_view> kKeepSnapshot{
    "INSERT INTO flotilla_snapshots (stream, version, state_version, shape, state) VALUES ($1, $2, $3, $4, $5) "
    "ON CONFLICT (stream) DO UPDATE SET version = excluded.version, state_version = excluded.state_version, "
    "shape = excluded.shape, state = excluded.state"};

void insert_event(Transaction& transaction, std::string_view stream, std::int64_t version,
                  const NewEvents::Entry& event, const std::optional<std::string>& message_id) {
    if (event.payload.size() > kPayloadBytesMax) {
        return transaction.fail(Error(Kind::too_large, "event_too_large",
                                      "an event \"" + std::string(event.type->name) + "\" has " +
                                          std::to_string(event.payload.size()) + " bytes; at most " +
                                          std::to_string(kPayloadBytesMax) + " can be stored"));
    }
    transaction.execute(kAppend, stream, version, event.type->name, event.type->version, message_id, transaction.now(),
                        transaction.trace().traceparent().view(), event.payload);
}

/// The state as of a snapshot that can be read, or of nothing.
std::int64_t load_snapshot(Transaction& transaction, const AggregateInfo& aggregate, std::string_view stream,
                           void* state) {
    if (aggregate.options.snapshot_every == 0) return 0;
    const auto snapshot = transaction.find(kSnapshot, stream);
    if (!snapshot || snapshot->state_version != aggregate.options.state_version ||
        snapshot->shape != static_cast<std::int64_t>(aggregate.shape))
        return 0;
    if (json::parse_into(snapshot->state, *aggregate.state, state)) return snapshot->version;
    aggregate.reset(state); // it is partly filled
    return 0;
}

void keep_snapshot(Transaction& transaction, const AggregateInfo& aggregate, std::string_view stream,
                   std::int64_t version, const void* state) {
    std::string json;
    json::write_to(json, *aggregate.state, state);
    transaction.execute(kKeepSnapshot, stream, version, aggregate.options.state_version,
                        static_cast<std::int64_t>(aggregate.shape), json);
}

} // namespace

Appended events::append(Transaction& transaction, std::string_view stream, std::int64_t expected,
                        const NewEvents& happened, const AppendOptions& options) {
    if (!options.message_id.empty()) {
        if (const auto former = transaction.find(kLastOfMessage, stream, options.message_id))
            return {.version = former->version, .position = former->position, .repeated = true};
    }
    const auto last = transaction.find(kLast, stream).value_or(Place());
    if (expected != kAnyVersion && expected != last.version) transaction.fail(version_conflict);
    if (transaction.failed() || happened.empty()) return {.version = last.version, .position = last.position};
    const auto message_id = options.message_id.empty() ? std::nullopt : std::optional(options.message_id);
    auto version = last.version;
    for (const auto& event : happened.entries())
        insert_event(transaction, stream, ++version, event, message_id);
    // Where others write at once, one of them may have been faster since we looked.
    if (transaction.failed() && transaction.failure()->code() == "unique_violation")
        transaction.explain(version_conflict);
    transaction.signal(kSignal);
    return {.version = version, .position = transaction.find(kPosition, stream, version).value_or(0)};
}

task<Result<std::int64_t>> events::head(Context& context, Database& database) {
    co_return (co_await must(database.find(context, kHead))).value_or(0);
}

std::pair<std::int64_t, std::int64_t> detail::load_state(Transaction& transaction, const AggregateInfo& aggregate,
                                                         std::string_view id, void* state) {
    const auto stream = aggregate.stream_of(id);
    const auto snapshot_version = load_snapshot(transaction, aggregate, stream, state);
    auto version = snapshot_version;
    for (bool more = true; more;) {
        const auto page = transaction.select(events::of_stream, stream, version, kLoadedAtOnce);
        more = std::ssize(page) == kLoadedAtOnce;
        for (const auto& event : page) {
            auto applied = aggregate.apply(state, event.type, event.schema_version, event.payload);
            if (!applied) {
                transaction.fail(
                    std::move(applied.error()).with_context(stream + " at " + std::to_string(event.version)));
                return {};
            }
            version = event.version;
        }
    }
    return {version, snapshot_version};
}

Appended detail::append_to(Transaction& transaction, const AggregateInfo& aggregate, std::string_view id, void* state,
                           std::int64_t& version, std::int64_t& snapshot_version, const NewEvents& happened,
                           const AppendOptions& options) {
    for (const auto& event : happened.entries()) {
        if (aggregate.has(*event.type)) continue;
        transaction.fail(Error(Kind::internal, "an event " + std::string(event.type->name) +
                                                   " is none of the aggregate " + std::string(aggregate.name) + "'s"));
    }
    const auto stream = aggregate.stream_of(id);
    const auto appended = events::append(transaction, stream, version, happened, options);
    if (transaction.failed() || appended.repeated || happened.empty()) return appended;
    for (const auto& event : happened.entries()) {
        auto applied = aggregate.apply(state, event.type->name, event.type->version, event.payload);
        if (!applied) transaction.fail(std::move(applied.error()));
    }
    version = appended.version;
    if (const auto every = aggregate.options.snapshot_every; every > 0 && version - snapshot_version >= every) {
        keep_snapshot(transaction, aggregate, stream, version, state);
        snapshot_version = version;
    }
    return appended;
}

} // namespace flotilla
