#pragma once

#include <flotilla/store/projection.hpp>

#include "examples/account/account.hpp"
#include "examples/account/domain/ledger.hpp"

/// Who has which accounts: a table made of the events.
namespace account::storage {

inline constexpr std::string_view kBalances = R"sql(
CREATE TABLE balances_1 (id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, balance BIGINT NOT NULL);
CREATE INDEX balances_1_by_owner ON balances_1 (owner, id);
)sql";
inline constexpr std::array migrations{Migration{1, "0001_balances", kBalances}};

inline constexpr Table<Account> balances{"balances_1"};
inline constexpr Query<Account, std::string> balances_of{"FROM balances_1 WHERE owner = $1 ORDER BY id LIMIT 100"};

inline void add_account(Transaction& tx, const Opened& event, const StoredEvent& stored) {
    tx.insert(balances, {std::string(stored.id_in(ledgers)), event.owner, {}});
}
inline Result<void> add_payment(Transaction& tx, const Paid& event, const StoredEvent& stored) {
    auto account = tx.find(balances, stored.id_in(ledgers));
    if (!account) return account_not_found;
    account->balance = account->balance + event.amount;
    tx.update(balances, *account);
    return {};
}
inline constexpr Projection balance_list{"balances", 1, {when<opened, add_account>, when<paid, add_payment>}};

} // namespace account::storage
