#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/payment/api/payment.hpp"

/// What may become of a payment: two tables, and the only code that moves one from state to state.
namespace payment {

enum class Command { authorize, capture, cancel, refund };
/// What the provider is asked for. A void names the payment: it also keeps an authorization from arriving later.
enum class Operation { authorize, capture, void_, refund };

/// What a command meets in a state.
enum class Step {
    begin,  ///< the provider is to be asked
    resume, ///< that has been done, by an earlier try of this command
    settle, ///< something else is under way, whose outcome has to be known first
    done,   ///< it was done before
    refuse
};
struct Rule {
    Step step{};
    Status next = {};         ///< begin: under way
    Operation operation = {}; ///< begin
    ErrorCode refusal = {};   ///< refuse
};
/// The rule for that state and command. A refund's key may tell more: see begun().
const Rule& rule_of(Status status, Command command);

/// A payment as it is kept.
struct PaymentRecord {
    std::string order_id, user_id, payment_method;
    Money amount, held, captured, refunded; ///< held: on the card, as far as is known
    Status status = Status::authorizing;
    std::optional<std::string> reason;
    std::vector<Item> items;
    std::optional<std::string> invoice_id;
    std::optional<std::string> operation; ///< under way, as the provider knows it: "capture/ORDER"
    Money operation_amount;
    std::optional<std::string> request_key; ///< of the refund under way
    Timestamp created_at;
};
Payment shown(const PaymentRecord& payment);

/// A command for one payment.
struct Wanted {
    Command command;
    std::string order_id;
    std::optional<Money> amount = {};            ///< of a refund
    std::optional<std::string> request_key = {}; ///< of a refund: its Idempotency-Key
    std::optional<Authorize> authorize = {};
};

/// What a command is to do next: the payment, with the operation under way when it is to begin.
struct Begun {
    PaymentRecord payment;
    Step step = Step::done;
};
/// `id`: a fresh one, for a refund. Errors: those of the rule; refund_exceeds, amount_out_of_range.
Result<Begun> begun(PaymentRecord payment, const Wanted& wanted, const std::string& id);
/// A new payment whose authorization is under way. Errors: amount_out_of_range, items_total_differs,
/// invalid_payment_method.
Result<PaymentRecord> drafted(const Authorize& request, Timestamp now);
/// What stands for a payment that was cancelled before anybody had authorized it.
PaymentRecord tombstone(const std::string& order_id, Timestamp now);
/// Errors: payment_exists when the request is for another payment than this one.
Result<void> check_same(const PaymentRecord& payment, const Authorize& request);

/// What the provider did.
struct Outcome {
    std::optional<std::string> refused; ///< why; absent: it is done
};
/// Something that has happened: the ledger, the invoices and the events follow from it.
struct Fact {
    enum class What { authorized, declined, released, captured, refunded, cancelled };
    What what{};
    Money amount;
};
struct Settled {
    PaymentRecord payment;
    std::vector<Fact> facts;
};
/// The payment after its operation. Errors: provider_refused when money is not given back, which nobody can settle
/// here.
Result<Settled> settled(PaymentRecord payment, const Outcome& outcome);
/// What the payment's operation under way is. Requires: there is one.
Operation operation_of(const PaymentRecord& payment);

} // namespace payment
