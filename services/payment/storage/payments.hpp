#pragma once

#include <flotilla/store/table.hpp>

#include "services/payment/domain/books.hpp"

namespace payment::storage {

struct TransferRow {
    std::string operation; ///< the provider's key of what moved the money: nothing is posted twice
    int line = 0;
    std::string order_id;
    Account debit{}, credit{};
    Money amount;
    Timestamp posted_at;
};
struct RefundKey {
    std::string order_id, request_key;
};

inline constexpr Table<PaymentRecord> payments{"payments"};
inline constexpr Table<RefundKey> refund_keys{"refund_keys", {.key = {"order_id", "request_key"}}};

inline constexpr Table<TransferRow> transfers{"ledger_transfers", {.key = {"operation", "line"}}};
inline constexpr Statement<Account, Money> debit{"UPDATE ledger_accounts SET debits = debits + $2 WHERE account = $1"};
inline constexpr Statement<Account, Money> credit{
    "UPDATE ledger_accounts SET credits = credits + $2 WHERE account = $1"};
inline constexpr Query<AccountSums> accounts{"FROM ledger_accounts ORDER BY account"};

inline constexpr Table<Invoice> invoices{"invoices"};
inline constexpr Query<std::string> last_number{"SELECT coalesce(max(id), '0') AS last FROM invoices"};
/// A user's, by number: those that come after $2, at most $3.
inline constexpr Query<Invoice, std::string, std::string, int> invoices_after{
    "FROM invoices WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3"};

} // namespace payment::storage
