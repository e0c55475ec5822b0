#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// An amount of money: exact, a whole number of cents in 64 bits; the currency is the contract's business.
/// JSON: a decimal number with at most two places (19.99, 20, 19.5). SQL: BIGINT cents.
/// Arithmetic is checked: an overflow throws std::overflow_error.
class Money {
public:
    constexpr Money() = default;
    static constexpr Money from_cents(std::int64_t cents) { return Money(cents); }
    /// A JSON number that is a whole number of cents, exactly, however it is written: "19.99", "19.990", "1999e-2".
    /// Errors: invalid `invalid_amount` (no such number, a fraction of a cent, more than 64 bits of cents).
    static Result<Money> parse(std::string_view text);

    constexpr std::int64_t cents() const { return cents_; }
    /// Always two decimals, for people: "19.99", "20.00", "-0.05".
    std::string to_string() const;

    Money operator-() const;
    Money& operator+=(Money other);
    Money& operator-=(Money other);
    friend Money operator+(Money a, Money b) { return a += b; }
    friend Money operator-(Money a, Money b) { return a -= b; }
    friend Money operator*(Money amount, std::int64_t count) { return amount.times(count); }
    friend Money operator*(std::int64_t count, Money amount) { return amount.times(count); }
    constexpr auto operator<=>(const Money&) const = default;

private:
    constexpr explicit Money(std::int64_t cents) : cents_(cents) {}
    Money times(std::int64_t count) const;

    std::int64_t cents_ = 0;
};

} // namespace flotilla
