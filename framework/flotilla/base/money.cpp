#include <flotilla/base/money.hpp>

#include <charconv>
#include <stdexcept>

#include <fmt/format.h>

#include <flotilla/base/text.hpp>

namespace flotilla {
namespace {

Error bad_amount(std::string_view expected, std::string_view text) {
    return Error(Kind::invalid, "invalid_amount", fmt::format("expected {}, found {}", expected, shortened(text)));
}

bool all_digits(std::string_view text) {
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
    }
    return !text.empty();
}

[[noreturn]] void overflow() { throw std::overflow_error("an amount of money exceeds its 64 bits"); }

} // namespace

Result<Money> Money::parse(std::string_view text) {
    constexpr std::string_view kForm = "an amount with at most two decimals";
    const bool negative = text.starts_with('-');
    const auto digits = text.substr(negative ? 1 : 0);
    const auto point = digits.find('.');
    const auto whole = digits.substr(0, point);
    const auto decimals = point == std::string_view::npos ? std::string_view("0") : digits.substr(point + 1);
    const bool leading_zero = whole.size() > 1 && whole.front() == '0';
    if (!all_digits(whole) || !all_digits(decimals) || decimals.size() > 2 || leading_zero)
        return bad_amount(kForm, text);

    std::int64_t units = 0;
    bool fits = std::from_chars(whole.data(), whole.data() + whole.size(), units).ec == std::errc{};
    std::int64_t cents = (decimals[0] - '0') * 10 + (decimals.size() == 2 ? decimals[1] - '0' : 0);
    // Negative from the start: the lowest amount has no positive counterpart.
    fits = fits && !__builtin_mul_overflow(units, negative ? -100 : 100, &units);
    fits = fits && !__builtin_add_overflow(units, negative ? -cents : cents, &cents);
    if (!fits) return bad_amount("an amount from -92233720368547758.08 to 92233720368547758.07", text);
    return Money(cents);
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
