#pragma once

#include <span>
#include <string>
#include <vector>

#include "services/payment/domain/payment_states.hpp"

namespace payment {

/// Money that moves between two accounts: the first is debited, the second credited, so that the ledger balances
/// whatever happens.
struct Transfer {
    Account debit{}, credit{};
};
/// The transfers a fact makes, each over the fact's amount; none: it moves no money.
std::span<const Transfer> transfers_of(Fact::What what);

/// The invoice of a captured payment, or the credit note of a refund, with the number `id`.
Invoice document_of(const PaymentRecord& payment, const Fact& fact, std::string id, Timestamp now);
/// The number after that one, which begin at 1.
std::string next_number(const std::string& last);

inline constexpr int kDefaultPage = 20;

Ledger ledger_of(std::vector<AccountSums> accounts);

} // namespace payment
