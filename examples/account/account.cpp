#include "examples/account/account.hpp"

#include <flotilla/store/event_store.hpp>

#include "examples/account/domain/ledger.hpp"
#include "examples/account/storage/balances.hpp"

namespace account {
namespace {

Account shown(const Loaded<Ledger>& ledger) { return {ledger.id, ledger->owner, ledger->balance}; }

class Accounts {
public:
    Accounts(Database& database, ReadModel& balances) : database_(database), balances_(balances) {}

    task<Result<Recorded<Account>>> open(Context& context, OpenAccount request) {
        co_return co_await database_.answer(context, [=](Transaction& tx) {
            Loaded<Ledger> ledger{.id = tx.new_id()};
            append(tx, ledgers, ledger, {opened, {.owner = request.owner.value()}});
            return shown(ledger);
        });
    }

    task<Result<Recorded<Account>>> pay(Context& context, Payment request) {
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Account> {
            auto ledger = load(tx, ledgers, request.id);
            if (!ledger.exists()) return account_not_found;
            auto happened = pay_into(ledger.state, request.amount, not_covered);
            if (!happened) return std::move(happened.error());
            append(tx, ledgers, ledger, *happened);
            return shown(ledger);
        });
    }

    /// What it is comes from its events.
    task<Result<Account>> get(Context& context, AccountId request) {
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Account> {
            const auto ledger = load(tx, ledgers, request.id);
            if (!ledger.exists()) return account_not_found;
            return shown(ledger);
        });
    }

    /// Lists come from the projection; who has just paid finds the payment in it.
    task<Result<std::vector<Account>>> list(Context& context, AccountsOf request) {
        co_await must(balances_.caught_up(context));
        co_return co_await database_.select(context, storage::balances_of, request.owner);
    }

private:
    Database& database_;
    ReadModel& balances_;
};

} // namespace

void install(Host& host) {
    auto& database = host.database(storage::migrations, {storage::balances, storage::balances_of});
    host.events({ledgers});
    auto& accounts = host.own<Accounts>(database, host.projection({storage::balance_list}));
    host.serve(open, &Accounts::open, accounts);
    host.serve(pay, &Accounts::pay, accounts);
    host.serve(get, &Accounts::get, accounts);
    host.serve(list, &Accounts::list, accounts);
}

} // namespace account
