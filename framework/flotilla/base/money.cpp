#include <flotilla/base/money.hpp>

#include <stdexcept>

#include <fmt/format.h>

#include <flotilla/base/decimal.hpp>
#include <flotilla/base/json_scalar.hpp>
#include <flotilla/base/text.hpp>

namespace flotilla {
namespace {

Error bad_amount(std::string_view expected, std::string_view text) {
    return Error(Kind::invalid, "invalid_amount", fmt::format("expected {}, found {}", expected, shortened(text)));
}

[[noreturn]] void overflow() { throw std::overflow_error("an amount of money exceeds its 64 bits"); }

} // namespace

Result<Money> Money::parse(std::string_view text) {
    constexpr std::string_view kForm = "an amount with at most two decimals";
    if (!json::is_number(text)) return bad_amount(kForm, text);
    const auto cents = scaled(text, 2);
    if (cents.outcome == Scaled::Outcome::fraction) return bad_amount(kForm, text);
    const auto value = cents.to_signed();
    if (!value) return bad_amount("an amount from -92233720368547758.08 to 92233720368547758.07", text);
    return Money(*value);
}

std::string Money::to_string() const {
    const auto magnitude = cents_ < 0 ? 0 - static_cast<std::uint64_t>(cents_) : static_cast<std::uint64_t>(cents_);
    return fmt::format("{}{}.{:02}", cents_ < 0 ? "-" : "", magnitude / 100, magnitude % 100);
}

Money Money::operator-() const { return Money() - *this; }

Money& Money::operator+=(Money other) {
    if (__builtin_add_overflow(cents_, other.cents_, &cents_)) overflow();
    return *this;
}

Money& Money::operator-=(Money other) {
    if (__builtin_sub_overflow(cents_, other.cents_, &cents_)) overflow();
    return *this;
}

Money Money::times(std::int64_t count) const {
    std::int64_t cents = 0;
    if (__builtin_mul_overflow(cents_, count, &cents)) overflow();
    return Money(cents);
}

} // namespace flotilla
