#pragma once

#include <optional>
#include <string>

#include <flotilla/aio/context.hpp>

#include "services/payment/domain/payment_states.hpp"

namespace payment {

/// What a provider is asked to do.
struct Ask {
    std::string key; ///< the same however often it is asked: it is done once
    std::string payment;
    Operation operation{};
    std::string card; ///< token
    Money amount;
};

/// Who moves the money. An error means that it is not known whether it was done, never that it was not: a refusal is an
/// Outcome. Thread-safety: none; one per loop.
class PaymentProvider {
public:
    virtual ~PaymentProvider() = default;
    /// Does it, or answers again what was done under the key. A void releases what the payment holds, if anything, and
    /// refuses an authorization of it that arrives later.
    virtual task<Result<Outcome>> ask(Context& context, Ask ask) = 0;
    /// What was done under a key; nothing: not (yet).
    virtual task<Result<std::optional<Outcome>>> look_up(Context& context, std::string key) = 0;
    /// Keeps a card's number under a token of "card_" and lower-case letters.
    virtual task<Result<Card>> tokenize(Context& context, std::string digits) = 0;
};

} // namespace payment
