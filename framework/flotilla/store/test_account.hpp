#pragma once

// Part of the tests of store/ and service/.
#include <flotilla/store/event_tables.hpp>
#include <flotilla/store/projection.hpp>

/// A small event-sourced domain: accounts, and lists of what is in them.
namespace flotilla::test::account {

struct Opened {
    std::string owner;
};
struct Paid {
    std::int64_t amount = 0;
};
struct Closed {};

inline constexpr EventType<Opened> opened{"account.opened"};
inline constexpr EventType<Paid> paid{"account.paid"};
inline constexpr EventType<Closed> closed{"account.closed"};

struct State {
    std::string owner;
    std::int64_t balance = 0;
    bool closed = false;
};
inline void apply(State& state, const Opened& event) { state.owner = event.owner; }
inline void apply(State& state, const Paid& event) { state.balance += event.amount; }
inline void apply(State& state, const Closed&) { state.closed = true; }

inline constexpr Aggregate<State> accounts{"account", {.snapshot_every = 5}, opened, paid, closed};
/// The same without snapshots: what it loads is the truth.
inline constexpr Aggregate<State> unkept{"account", {.snapshot_every = 0}, opened, paid, closed};
/// A release whose `apply` makes something else of the events.
inline constexpr Aggregate<State> changed{"account", {.snapshot_every = 5, .state_version = 2}, opened, paid, closed};

/// A projection's table in two versions of one shape.
struct Balance {
    std::string account;
    std::int64_t balance = 0;
    std::int64_t events = 0;
};
inline constexpr Table<Balance> balances_1{"balances_1"};
inline constexpr Table<Balance> balances_2{"balances_2"};

inline constexpr std::string_view kTables = R"sql(
CREATE TABLE balances_1 (account TEXT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL, events BIGINT NOT NULL);
CREATE TABLE balances_2 (account TEXT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL, events BIGINT NOT NULL);
CREATE TABLE poison (amount BIGINT NOT NULL PRIMARY KEY);
CREATE TABLE closings (position BIGINT NOT NULL PRIMARY KEY, account TEXT NOT NULL);
)sql";
inline constexpr std::array kMigrations{Migration{1, "0001_tables", kTables}};

/// An amount that stands in this table cannot be taken: what is wrong may be mended from outside.
inline constexpr Query<std::int64_t, std::int64_t> kPoison{"SELECT amount FROM poison WHERE amount = $1"};

inline Balance add(Transaction& tx, const Table<Balance>& table, const StoredEvent& stored, std::int64_t amount) {
    const auto id = stored.id_in(accounts);
    auto row = tx.find(table, id).value_or(Balance{.account = std::string(id)});
    row.balance += amount;
    ++row.events;
    return row;
}
template <const auto& table>
void open(Transaction& tx, const Opened&, const StoredEvent& stored) {
    tx.insert(table, add(tx, table, stored, 0));
}
template <const auto& table>
Result<void> pay(Transaction& tx, const Paid& event, const StoredEvent& stored) {
    if (!tx.update(table, add(tx, table, stored, event.amount)))
        return Error(Kind::internal, "a payment into an account that was never opened");
    if (tx.find(kPoison, event.amount)) return Error(Kind::internal, "no such amount: " + std::to_string(event.amount));
    return {};
}
inline constexpr Projection balances_v1{"balances", 1, {when<opened, open<balances_1>>, when<paid, pay<balances_1>>}};
inline constexpr Projection balances_v2{"balances", 2, {when<opened, open<balances_2>>, when<paid, pay<balances_2>>}};

inline constexpr Statement<std::string_view> kNoteClosing{"INSERT INTO closings (account) VALUES ($1)"};
inline void note_closing(Transaction& tx, const Closed&, const StoredEvent& stored) {
    tx.execute(kNoteClosing, stored.id_in(accounts));
}
inline constexpr EventSubscription closings{"closings", Since::beginning, {when<closed, note_closing>}};
inline constexpr EventSubscription late_closings{"late_closings", Since::now, {when<closed, note_closing>}};

} // namespace flotilla::test::account
