#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace flotilla {

/// What a JSON number is in whole units of a decimal place: exact, computed on its text.
struct Scaled {
    enum class Outcome : std::uint8_t {
        exact,
        fraction,  ///< something is left over below the unit
        too_large, ///< its magnitude exceeds 64 bits
    };
    Outcome outcome = Outcome::exact;
    bool negative = false;
    std::uint64_t magnitude = 0; ///< of an exact one

    /// The value with its sign, where it is exact and fits.
    std::optional<std::int64_t> to_signed() const;
    /// The same for one that is not below zero.
    std::optional<std::uint64_t> to_unsigned() const;
};

/// The number times 10^places: with 0 whether it is a whole number and which one ("2", "2.0" and "20e-1" are all two),
/// with 2 an amount in cents. Reads the text once: an exponent of a billion costs what its digits cost.
/// Requires: json::is_number(number).
Scaled scaled(std::string_view number, int places);

} // namespace flotilla
