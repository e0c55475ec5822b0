#pragma once

#include <string>

#include <flotilla/base/money.hpp>
#include <flotilla/contract/aggregate.hpp>

/// What happens to accounts, what they are after it, and what may happen next. No I/O.
namespace account {

struct Opened {
    std::string owner;
};
struct Paid {
    flotilla::Money amount;
};

/// Version 1 counted in cents.
struct PaidInCents {
    std::int64_t cents = 0;
};
inline Paid with_amount(const PaidInCents& before) { return {flotilla::Money::from_cents(before.cents)}; }

inline constexpr flotilla::EventType<Opened> opened{"account.opened"};
inline constexpr flotilla::EventType<Paid> paid{"account.paid", {flotilla::upcast<with_amount>}};

struct Ledger {
    std::string owner;
    flotilla::Money balance;
};
inline void apply(Ledger& ledger, const Opened& event) { ledger.owner = event.owner; }
inline void apply(Ledger& ledger, const Paid& event) { ledger.balance = ledger.balance + event.amount; }

inline constexpr flotilla::Aggregate<Ledger> ledgers{"account", opened, paid};

/// What happens when so much is to be paid in or, below zero, out. Errors: `refused` when the balance would be
/// negative.
inline flotilla::Result<flotilla::NewEvents> pay_into(const Ledger& ledger, flotilla::Money amount,
                                                      const flotilla::Error& refused) {
    if (ledger.balance + amount < flotilla::Money()) return refused;
    return flotilla::NewEvents(paid, {amount});
}

} // namespace account
