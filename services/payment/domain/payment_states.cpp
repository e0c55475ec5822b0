#include "services/payment/domain/payment_states.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace payment {
namespace {

using enum Status;
using enum Step;
using What = Fact::What;

constexpr Money kAmountMin = Money::from_cents(1), kAmountMax = Money::from_cents(100'000'000);
constexpr std::size_t kItemsMax = 100;

constexpr Rule kResume{resume}, kSettle{settle}, kDone{done};
constexpr Rule kCapture{begin, capturing, Operation::capture}, kVoid{begin, voiding, Operation::void_};
constexpr Rule kRefund{begin, refunding, Operation::refund}, kGiveBack{begin, cancelling, Operation::refund};
constexpr Rule kWasDeclined{refuse, {}, {}, payment_declined}, kWasCancelled{refuse, {}, {}, payment_cancelled};
constexpr Rule kNotCaptured{refuse, {}, {}, payment_not_captured};

struct Row {
    Status status;
    std::array<Rule, 4> rules; ///< authorize, capture, cancel, refund
};
constexpr auto kRules = std::to_array<Row>({
    {authorizing, {kResume, kSettle, kVoid, kSettle}},
    {authorized, {kDone, kCapture, kVoid, kNotCaptured}},
    {declined, {kWasDeclined, kWasDeclined, kDone, kNotCaptured}},
    {capturing, {kDone, kResume, kSettle, kSettle}},
    {captured, {kDone, kDone, kGiveBack, kRefund}},
    {refunding, {kDone, kDone, kSettle, kSettle}},
    {refunded, {kDone, kDone, kDone, kDone}},
    {voiding, {kWasCancelled, kWasCancelled, kResume, kWasCancelled}},
    {cancelling, {kWasCancelled, kWasCancelled, kResume, kWasCancelled}},
    {cancelled, {kWasCancelled, kWasCancelled, kDone, kWasCancelled}},
});

/// What follows from the provider's answer. Where it may not refuse there is no row.
struct OutcomeRule {
    Status under_way;
    bool approved;
    Operation operation;
    Status then;
    std::array<std::optional<What>, 2> facts;
};
constexpr auto kOutcomes = std::to_array<OutcomeRule>({
    {authorizing, true, Operation::authorize, authorized, {What::authorized}},
    {authorizing, false, Operation::authorize, declined, {What::declined}},
    {capturing, true, Operation::capture, captured, {What::released, What::captured}},
    {capturing, false, Operation::capture, declined, {What::released, What::declined}},
    {voiding, true, Operation::void_, cancelled, {What::released, What::cancelled}},
    {refunding, true, Operation::refund, captured, {What::refunded}},
    {cancelling, true, Operation::refund, cancelled, {What::refunded, What::cancelled}},
});

std::string_view name(Operation operation) {
    constexpr std::array<std::string_view, 4> kNames{"authorize", "capture", "void", "refund"};
    return kNames.at(static_cast<std::size_t>(operation));
}

/// The key the provider knows an operation by: a payment has one of each, but of refunds, which `id` tells apart.
std::string key_of(Operation operation, const std::string& order_id, const std::string& id) {
    return std::string(name(operation)) + (operation == Operation::refund ? "-" + id : "") + "/" + order_id;
}

Result<void> check_amount(Money amount) {
    if (amount < kAmountMin || amount > kAmountMax) return amount_out_of_range;
    return {};
}

Result<void> check_items(const std::vector<Item>& items, Money amount) {
    if (items.empty() || items.size() > kItemsMax) return items_total_differs;
    Money total;
    for (const auto& item : items) {
        if (item.price < Money() || item.price > kAmountMax) return amount_out_of_range;
        total += item.price * static_cast<int>(item.quantity);
    }
    if (total != amount) return items_total_differs;
    return {};
}

/// Letters behind "card_": a card's number in the wrong place is none.
bool is_token(std::string_view text) {
    return text.starts_with("card_") &&
           std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

/// How much the operation is about. Errors: refund_exceeds, amount_out_of_range.
Result<Money> amount_of(const PaymentRecord& payment, const Wanted& wanted, Operation operation) {
    if (operation != Operation::refund) return payment.amount;
    const Money left = payment.captured - payment.refunded;
    if (!wanted.amount) return left;
    if (const auto fine = check_amount(*wanted.amount); !fine) return fine.error();
    if (*wanted.amount > left) return refund_exceeds;
    return *wanted.amount;
}

void note(PaymentRecord& payment, const Fact& fact) {
    if (fact.what == What::authorized) payment.held = fact.amount;
    if (fact.what == What::released) payment.held = Money();
    if (fact.what == What::captured) payment.captured = fact.amount;
    if (fact.what == What::refunded) payment.refunded += fact.amount;
}

} // namespace

const Rule& rule_of(Status status, Command command) {
    const auto row = std::ranges::find(kRules, status, &Row::status);
    if (row == kRules.end()) throw std::logic_error("a payment's state without rules");
    return row->rules.at(static_cast<std::size_t>(command));
}

Payment shown(const PaymentRecord& payment) {
    return {.order_id = payment.order_id,
            .user_id = payment.user_id,
            .amount = payment.amount,
            .captured = payment.captured,
            .refunded = payment.refunded,
            .status = payment.status,
            .reason = payment.reason,
            .invoice_id = payment.invoice_id,
            .created_at = payment.created_at};
}

Result<Begun> begun(PaymentRecord payment, const Wanted& wanted, const std::string& id) {
    const auto& rule = rule_of(payment.status, wanted.command);
    if (rule.step == Step::refuse) return rule.refusal;
    const bool refunds = wanted.command == Command::refund;
    if (refunds && payment.operation && wanted.request_key && payment.request_key == wanted.request_key)
        return Begun{std::move(payment), Step::resume};
    if (refunds && payment.status == Status::refunded && wanted.amount) return refund_exceeds;
    if (rule.step != Step::begin) return Begun{std::move(payment), rule.step};
    const auto amount = amount_of(payment, wanted, rule.operation);
    if (!amount) return amount.error();
    payment.status = rule.next;
    payment.operation = key_of(rule.operation, payment.order_id, id);
    payment.operation_amount = *amount;
    payment.request_key = wanted.request_key;
    return Begun{std::move(payment), Step::begin};
}

Result<PaymentRecord> drafted(const Authorize& request, Timestamp now) {
    PaymentRecord payment{.order_id = request.order_id,
                          .user_id = request.user_id,
                          .payment_method = request.payment_method ? request.payment_method->value() : "card_ok",
                          .amount = request.amount,
                          .items = request.items.value_or(std::vector<Item>()),
                          .operation = key_of(Operation::authorize, request.order_id, {}),
                          .operation_amount = request.amount,
                          .created_at = now};
    if (const auto fine = check_amount(request.amount); !fine) return fine.error();
    if (!is_token(payment.payment_method)) return invalid_payment_method;
    if (!request.items) return payment;
    if (const auto fine = check_items(payment.items, request.amount); !fine) return fine.error();
    return payment;
}

PaymentRecord tombstone(const std::string& order_id, Timestamp now) {
    return {.order_id = order_id, .status = Status::cancelled, .created_at = now};
}

Result<void> check_same(const PaymentRecord& payment, const Authorize& request) {
    const bool never_was = payment.status == Status::cancelled && payment.amount == Money();
    if (!never_was && (payment.user_id != request.user_id.value() || payment.amount != request.amount))
        return payment_exists;
    return {};
}

Result<Settled> settled(PaymentRecord payment, const Outcome& outcome) {
    const auto rule = std::ranges::find_if(kOutcomes, [&](const OutcomeRule& each) {
        return each.under_way == payment.status && each.approved == !outcome.refused;
    });
    if (rule == kOutcomes.end()) return provider_refused.with(outcome.refused.value_or("nothing was under way"));
    Settled after{.payment = std::move(payment), .facts = {}};
    auto& now = after.payment;
    for (const auto what : rule->facts) {
        if (!what || (what == What::released && now.held == Money())) continue; // it was never known to be authorized
        const Money amount = what == What::released   ? now.held
                             : what == What::refunded ? now.operation_amount
                                                      : now.amount;
        after.facts.push_back({*what, amount});
        note(now, after.facts.back());
    }
    const bool nothing_left = rule->then == Status::captured && now.refunded == now.captured;
    now.status = nothing_left ? Status::refunded : rule->then;
    now.reason = outcome.refused;
    now.operation.reset();
    return after;
}

Operation operation_of(const PaymentRecord& payment) {
    const auto rule =
        std::ranges::find_if(kOutcomes, [&](const OutcomeRule& each) { return each.under_way == payment.status; });
    if (rule == kOutcomes.end()) throw std::logic_error("nothing is under way with this payment");
    return rule->operation;
}

} // namespace payment
