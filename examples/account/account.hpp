#pragma once

#include <flotilla/contract/contract.hpp>
#include <flotilla/service/host.hpp>

/// The smallest event-sourced service: accounts are what was paid in and out. docs/guides/event-sourcing.md walks
/// through it.
namespace account {

using namespace flotilla;

struct OpenAccount {
    Text<1, 100> owner;
};
struct Payment {
    std::string id; ///< the account's
    Money amount;   ///< below zero: paid out
};
struct Account {
    std::string id, owner;
    Money balance;
};
struct AccountId {
    std::string id;
};
struct AccountsOf {
    std::string owner;
};

inline constexpr ErrorCode account_not_found{"account_not_found", Kind::not_found, "Account not found"};
inline constexpr ErrorCode not_covered{"not_covered", Kind::conflict, "The account does not cover that"};

inline constexpr Service service{"account-service"};
inline constexpr Endpoint<OpenAccount, Account> open{
    service, Method::post, "/accounts", {.success = 201, .idempotent = true}};
inline constexpr Endpoint<Payment, Account> pay{
    service,
    Method::post,
    "/accounts/{id}/payments",
    {.success = 201, .idempotent = true, .errors = {account_not_found, not_covered}}};
inline constexpr Endpoint<AccountId, Account> get{
    service, Method::get, "/accounts/{id}", {.errors = {account_not_found}}};
inline constexpr Endpoint<AccountsOf, std::vector<Account>> list{service, Method::get, "/accounts"};

void install(Host& host);

} // namespace account
