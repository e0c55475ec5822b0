#include "services/payment/domain/payment_states.hpp"

#include <gtest/gtest.h>

#include "services/payment/domain/books.hpp"
#include "services/payment/domain/card.hpp"

namespace payment::payment_states_test {
namespace {

using What = Fact::What;

PaymentRecord payment_in(Status status) {
    PaymentRecord payment{.order_id = "o", .user_id = "u", .amount = Money::from_cents(1000), .status = status};
    payment.operation = "under/way";
    payment.operation_amount = payment.amount;
    return payment;
}

std::vector<What> facts_of(const Settled& settled) {
    std::vector<What> facts;
    for (const auto& fact : settled.facts)
        facts.push_back(fact.what);
    return facts;
}

// Goal: every command has a rule in every state, and what begins something leads to a state that knows what is asked.
TEST(PaymentStates, EveryStateKnowsEveryCommand) {
    for (const auto& status : descriptor_of<Status>.enumerators) {
        for (const auto command : {Command::authorize, Command::capture, Command::cancel, Command::refund}) {
            const auto& rule = rule_of(static_cast<Status>(status.value), command);
            if (rule.step == Step::begin) {
                EXPECT_EQ(operation_of(payment_in(rule.next)), rule.operation) << status.name;
            }
            EXPECT_EQ(rule.step == Step::refuse, !rule.refusal.code.empty()) << status.name;
        }
    }
}

// Goal: nothing leads out of a payment that is cancelled, and nothing forward out of one that was declined.
TEST(PaymentStates, FinalStatesStay) {
    for (const auto command : {Command::authorize, Command::capture, Command::refund}) {
        EXPECT_EQ(rule_of(Status::cancelled, command).refusal, payment_cancelled);
        EXPECT_EQ(rule_of(Status::declined, command).step, Step::refuse);
    }
    EXPECT_EQ(rule_of(Status::cancelled, Command::cancel).step, Step::done);
    EXPECT_EQ(rule_of(Status::declined, Command::cancel).step, Step::done);
}

// Goal: a cancellation releases only what is known to be held.
TEST(PaymentStates, VoidReleasesWhatIsHeld) {
    auto held = payment_in(Status::voiding);
    held.held = held.amount;
    EXPECT_EQ(facts_of(*settled(held, {})), (std::vector{What::released, What::cancelled}));
    EXPECT_EQ(facts_of(*settled(payment_in(Status::voiding), {})), std::vector{What::cancelled});
}

// Goal: the last refund ends a payment, an earlier one does not; money that is not given back is an error.
TEST(PaymentStates, RefundsAddUp) {
    auto payment = payment_in(Status::captured);
    payment.captured = payment.amount;
    for (const auto& [cents, then] : {std::pair{400, Status::captured}, {600, Status::refunded}}) {
        const auto step = begun(payment, {Command::refund, "o", Money::from_cents(cents)}, "id");
        ASSERT_TRUE(step);
        ASSERT_EQ(step->step, Step::begin);
        EXPECT_EQ(step->payment.operation, "refund-id/o");
        ASSERT_EQ(settled(step->payment, {"no"}).error().code(), "provider_refused");
        payment = settled(step->payment, {})->payment;
        EXPECT_EQ(payment.status, then);
    }
    EXPECT_EQ(payment.refunded, payment.amount);
    EXPECT_EQ(begun(payment, {Command::refund, "o"}, "id")->step, Step::done);
    EXPECT_EQ(begun(payment, {Command::refund, "o", Money::from_cents(1)}, "id").error().code(), "refund_exceeds");
}

// Goal: what a payment is made of is checked, and a card's number is no token.
TEST(PaymentStates, BadAuthorizationsAreRefused) {
    const auto code = [](Authorize request) { return drafted(request, {}).error().code(); };
    const Authorize fine{.order_id = "o", .user_id = "u", .amount = Money::from_cents(1000)};
    ASSERT_TRUE(drafted(fine, {}));
    auto bad = fine;
    bad.amount = Money();
    EXPECT_EQ(code(bad), "amount_out_of_range");
    bad = fine;
    bad.payment_method = "4242424242424242";
    EXPECT_EQ(code(bad), "invalid_payment_method");
    bad.payment_method = "card_4242424242424242";
    EXPECT_EQ(code(bad), "invalid_payment_method");
    bad = fine;
    bad.items = {{"lamp", 3, Money::from_cents(333)}};
    EXPECT_EQ(code(bad), "items_total_differs");
    bad.items = {{"lamp", 1000, Money::from_cents(9'000'000'000'000'000'000)}};
    EXPECT_EQ(code(bad), "amount_out_of_range");
}

AddCard card(const char* number, const char* expiry = "12/49", const char* cvc = "123") {
    return {.number = number, .expiry = expiry, .cvc = cvc};
}

// Goal: numbers are checked as cards' are, and no error repeats one.
TEST(PaymentCard, OnlyCardsAreTaken) {
    const auto now = *Timestamp::parse("2026-11-28T00:00:00Z");
    EXPECT_EQ(*card_digits(card("4242 4242 4242 4242"), now), "4242424242424242");
    EXPECT_TRUE(card_digits(card("4242424242424242", "11/26"), now));
    for (const auto& bad :
         {card("4242424242424241"), card("424242424242424a"), card("42"), card(" "), card("4242424242424242", "10/26"),
          card("4242424242424242", "13/30"), card("4242424242424242", "1/30"), card("4242424242424242", "12/49", "12"),
          card("4242424242424242", "12/49", "x23")}) {
        const auto refused = card_digits(bad, now);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), "invalid_card");
        EXPECT_FALSE(refused.error().message().contains("42")) << refused.error().message();
    }
    EXPECT_EQ(brand_of("5555555555554444"), "mastercard");
    EXPECT_EQ(brand_of("378282246310005"), "amex");
    EXPECT_EQ(brand_of("9999"), "card");
}

// Goal: numbers count on in the order in which they sort.
TEST(PaymentBooks, NumbersCountOn) {
    EXPECT_EQ(next_number("0"), "0000000001");
    EXPECT_EQ(next_number("0000000099"), "0000000100");
}

} // namespace
} // namespace payment::payment_states_test
