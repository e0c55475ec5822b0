#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/saga/instance.hpp>
#include <flotilla/saga/message.hpp>
#include <flotilla/saga/transition.hpp>
#include <flotilla/store/database.hpp>

/// The statements on the sagas' tables, as transaction bodies and plain functions; when they run is the others'
/// business. What they cost depends on how many sagas they touch, never on how many are kept.
namespace flotilla::saga::table {

/// Wakes the engine after the commit.
inline constexpr std::string_view kSignal = "sagas";
/// Wakes who waits for one saga to settle, or (another one) for any other change of it.
inline std::string settled_signal(std::string_view id) { return "saga-settled:" + std::string(id); }
inline std::string changed_signal(std::string_view id) { return "saga-changed:" + std::string(id); }

// --- A saga's row

/// Adds the row of a saga that has begun, with its notes. False: there is one of that id.
bool insert(Transaction& transaction, const Instance& instance, const std::vector<Note>& notes);
/// Stores a row unless somebody has changed it since it was `before`; then the transaction ends: conflict `saga_moved`.
void store(Transaction& transaction, const Instance& before, const Instance& after, const std::vector<Note>& notes);
inline constexpr std::string_view kMoved = "saga_moved";

std::optional<Instance> load(Transaction& transaction, std::string_view id);
task<Result<std::optional<Instance>>> load(Context& context, Database& database, std::string id);

// --- What is due

struct Due {
    std::string id;
    Timestamp due_at;
};
/// Those that are due first, due or not yet.
task<Result<std::vector<Due>>> first_due(Context& context, Database& database, std::int64_t count);

/// For the start of a tenure: what an earlier holder had in its hands is due, and how its try ended is unknown.
struct Recover {
    std::int64_t epoch;
    std::int64_t operator()(Transaction& transaction) const;
};
/// For its orderly end: what this holder had in its hands is due, without counting the try.
struct Release {
    std::int64_t epoch;
    void operator()(Transaction& transaction) const;
};

// --- Replies that come as events

/// Keeps a reply for its step, unless that has ended: then it is noted in the history as late.
void keep_reply(Transaction& transaction, const Reply& reply);
/// Takes the reply that was kept for a command.
std::optional<Reply> take_reply(Transaction& transaction, const Instance& instance);

// --- What people ask

/// Which sagas are meant: one, or those of a definition in a status, or those that are stuck.
struct Ask {
    Asked asked = Asked::nothing;
    std::optional<std::string> reason;
};
/// Whether it is asked now; false: there is no such saga, or it does not apply to it.
bool ask(Transaction& transaction, std::string_view id, const Ask& what);
/// Asks the same of up to `count` sagas of a definition and status, in the order of their ids, from behind `after`.
/// Returns how many it was asked of and the last one's id; empty: there are no more.
struct Asking {
    std::int64_t changed = 0;
    std::string last;
};
Asking ask_all(Transaction& transaction, const Ask& what, Status status, std::string_view definition,
               std::string_view after, std::int64_t count);

// --- Lists

task<Result<std::vector<Instance>>> list(Context& context, Database& database, Status status, std::string definition,
                                         std::string after, std::int64_t count);
/// Without progress for twice their step's timeout, those first that wait longest; behind a place in that order.
task<Result<std::vector<Instance>>> stuck(Context& context, Database& database, Timestamp now, Timestamp after,
                                          std::string after_id, std::int64_t count);
/// How many of them there are; counts no further than `most`.
task<Result<std::int64_t>> count_stuck(Context& context, Database& database, Timestamp now, std::int64_t most);
task<Result<std::vector<HistoryEntry>>> history(Context& context, Database& database, std::string id);

struct Counts {
    std::string definition;
    std::int64_t running = 0, compensating = 0, parked = 0;
};
/// By definition; one stays once it was used.
task<Result<std::vector<Counts>>> counts(Context& context, Database& database);
/// The version of the tables; 0: the database has none.
task<Result<std::int64_t>> version(Context& context, Database& database);

// --- What is past its time

/// Forgets sagas that ended before that, with their history, and replies that nobody waited for: at most `count` of
/// each. Returns how many sagas.
struct Forget {
    Timestamp before;
    std::int64_t count;
    std::int64_t operator()(Transaction& transaction) const;
};

} // namespace flotilla::saga::table
