#pragma once

#include <flotilla/store/database.hpp>

#include "services/payment/provider/payment_provider.hpp"

namespace payment {

/// A provider that moves no money. What it was asked for is kept in tables of its own (sandbox_effects), in
/// transactions of its own, and nobody else reads them but tests. README.md lists the cards and how they behave; of a
/// card it keeps brand and last four digits.
class SandboxProvider final : public PaymentProvider {
public:
    explicit SandboxProvider(Database& database) : database_(database) {}
    task<Result<Outcome>> ask(Context& context, Ask ask) override;
    task<Result<std::optional<Outcome>>> look_up(Context& context, std::string key) override;
    task<Result<Card>> tokenize(Context& context, std::string digits) override;

private:
    Database& database_;
};

} // namespace payment
