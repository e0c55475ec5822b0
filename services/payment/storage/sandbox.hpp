#pragma once

#include <flotilla/store/table.hpp>

#include "services/payment/domain/payment_states.hpp"

namespace payment::storage {

enum class Behaviour { ok, declined, insufficient_funds, lost_request, lost_answer, twice, flaky };

struct SandboxEffect {
    std::string key, payment;
    Operation operation{};
    Money amount;
    int asked = 0;
    bool made = false; ///< else it was only asked for
    std::optional<std::string> refused;
};
struct SandboxCard {
    std::string token;
    Behaviour behaves_as{};
    std::string brand, last4;
    Timestamp created_at;
};

inline constexpr Table<SandboxEffect> sandbox_effects{"sandbox_effects"};
inline constexpr Query<SandboxEffect, std::string> sandbox_effects_of{"FROM sandbox_effects WHERE payment = $1"};
inline constexpr Table<SandboxCard> sandbox_cards{"sandbox_cards"};

} // namespace payment::storage
