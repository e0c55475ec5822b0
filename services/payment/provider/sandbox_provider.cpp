#include "services/payment/provider/sandbox_provider.hpp"

#include <algorithm>
#include <array>

#include "services/payment/domain/card.hpp"
#include "services/payment/storage/sandbox.hpp"

namespace payment {
namespace {

using storage::Behaviour;
using storage::SandboxEffect;

struct TestCard {
    std::string_view token, digits;
    Behaviour behaviour;
};
constexpr std::array kTestCards{
    TestCard{"card_ok", "4242424242424242", Behaviour::ok},
    TestCard{"card_declined", "4000000000000002", Behaviour::declined},
    TestCard{"card_insufficient_funds", "4000000000009995", Behaviour::insufficient_funds},
    TestCard{"card_lost_request", "4000000000000119", Behaviour::lost_request},
    TestCard{"card_lost_answer", "4000000000000341", Behaviour::lost_answer},
    TestCard{"card_twice", "4000000000000259", Behaviour::twice},
    TestCard{"card_flaky", "4000000000000127", Behaviour::flaky},
};
constexpr int kFlakyFails = 2;

/// Why it is refused, given what was done to the payment before.
std::optional<std::string> refusal_of(const Ask& ask, Behaviour card, const std::vector<SandboxEffect>& before) {
    const auto sum_of = [&](Operation operation) {
        Money sum;
        for (const auto& effect : before)
            if (effect.operation == operation && effect.made && !effect.refused) sum += effect.amount;
        return sum;
    };
    const bool voided = sum_of(Operation::void_) != Money();
    switch (ask.operation) {
    case Operation::authorize:
        if (voided) return "voided";
        if (card == Behaviour::declined) return "card_declined";
        if (card == Behaviour::insufficient_funds) return "insufficient_funds";
        return {};
    case Operation::capture:
        if (voided || sum_of(Operation::authorize) != ask.amount) return "not_authorized";
        return {};
    case Operation::void_:
        if (sum_of(Operation::capture) != Money()) return "already_captured";
        return {};
    case Operation::refund:
        if (sum_of(Operation::refund) + ask.amount > sum_of(Operation::capture)) return "exceeds_captured";
        return {};
    }
    return "unknown_operation";
}

/// Once per key, and counts how often it was asked for.
SandboxEffect perform(Transaction& tx, const Ask& ask, Behaviour card) {
    const auto known = tx.find(storage::sandbox_effects, ask.key);
    SandboxEffect effect = known.value_or(
        SandboxEffect{.key = ask.key, .payment = ask.payment, .operation = ask.operation, .amount = ask.amount});
    ++effect.asked;
    if (!effect.made && (card != Behaviour::flaky || effect.asked > kFlakyFails)) {
        effect.refused = refusal_of(ask, card, tx.select(storage::sandbox_effects_of, ask.payment));
        effect.made = true;
    }
    if (known)
        tx.update(storage::sandbox_effects, effect);
    else
        tx.insert(storage::sandbox_effects, effect);
    return effect;
}

/// As if nobody answered: until the caller has waited long enough.
task<Error> no_answer(Context& context) {
    const auto waited = co_await sleep_for(context, std::chrono::hours(1));
    co_return waited ? Error(Kind::deadline_exceeded, "the sandbox does not answer") : waited.error();
}

/// A fresh id in letters alone.
std::string fresh_token(const std::string& id) {
    std::string token = "card_";
    for (const char c : id)
        if (c != '-') token += c >= '0' && c <= '9' ? static_cast<char>('g' + (c - '0')) : c;
    return token;
}

} // namespace

task<Result<Outcome>> SandboxProvider::ask(Context& context, Ask ask) {
    std::optional<Behaviour> card;
    if (const auto test = std::ranges::find(kTestCards, ask.card, &TestCard::token); test != kTestCards.end())
        card = test->behaviour;
    else if (const auto kept = co_await must(database_.find(context, storage::sandbox_cards, ask.card)))
        card = kept->behaves_as;
    if (!card) co_return Outcome{"unknown_card"};
    if (*card == Behaviour::lost_request && ask.operation == Operation::authorize)
        co_return co_await no_answer(context);
    const auto do_it = [=](Transaction& tx) { return perform(tx, ask, *card); };
    auto effect = co_await must(database_.transact(context, do_it));
    if (*card == Behaviour::twice) effect = co_await must(database_.transact(context, do_it));
    if (!effect.made) co_return Error(Kind::unavailable, "the sandbox fails as this card says");
    if (*card == Behaviour::lost_answer && effect.asked == 1) co_return co_await no_answer(context);
    co_return Outcome{effect.refused};
}

task<Result<std::optional<Outcome>>> SandboxProvider::look_up(Context& context, std::string key) {
    const auto effect = co_await must(database_.find(context, storage::sandbox_effects, key));
    co_return effect && effect->made ? std::optional(Outcome{effect->refused}) : std::nullopt;
}

task<Result<Card>> SandboxProvider::tokenize(Context& context, std::string digits) {
    const auto test = std::ranges::find(kTestCards, digits, &TestCard::digits);
    const storage::SandboxCard card{.behaves_as = test == kTestCards.end() ? Behaviour::ok : test->behaviour,
                                    .brand = std::string(brand_of(digits)),
                                    .last4 = digits.substr(digits.size() - 4)};
    co_return co_await database_.transact(context, [card](Transaction& tx) {
        auto row = card;
        row.token = fresh_token(tx.new_id());
        row.created_at = tx.now();
        tx.insert(storage::sandbox_cards, row);
        return Card{row.token, row.brand, row.last4};
    });
}

} // namespace payment
