#include <flotilla/base/decimal.hpp>

#include <algorithm>
#include <limits>

namespace flotilla {
namespace {

// Beyond any text's length: where an exponent is cut off it decides alone.
constexpr std::int64_t kExponentMax = 1'000'000'000'000;

std::int64_t exponent_of(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    std::int64_t exponent = 0;
    for (const char c : text)
        exponent = std::min(exponent * 10 + (c - '0'), kExponentMax);
    return negative ? -exponent : exponent;
}

/// False when the magnitude would exceed its bits.
bool append_digit(std::uint64_t& magnitude, char digit) {
    return !__builtin_mul_overflow(magnitude, std::uint64_t{10}, &magnitude) &&
           !__builtin_add_overflow(magnitude, static_cast<std::uint64_t>(digit - '0'), &magnitude);
}

} // namespace

std::optional<std::int64_t> Scaled::to_signed() const {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (outcome != Outcome::exact || magnitude > kMost + negative) return std::nullopt;
    return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<std::uint64_t> Scaled::to_unsigned() const {
    if (outcome != Outcome::exact || (negative && magnitude != 0)) return std::nullopt;
    return magnitude;
}

Scaled scaled(std::string_view number, int places) {
    Scaled result{.negative = number.starts_with('-')};
    const auto e = number.find_first_of("eE");
    auto digits = number.substr(0, e);
    const auto last = digits.find_last_of("123456789");
    if (last == std::string_view::npos) return result; // zero, whatever its exponent

    // How many zeros stand between the last digit that counts and the unit.
    std::int64_t zeros = places + (e == std::string_view::npos ? 0 : exponent_of(number.substr(e + 1)));
    const auto point = std::min(digits.find('.'), digits.size());
    zeros += static_cast<std::int64_t>(point) - static_cast<std::int64_t>(last) - (last < point ? 1 : 0);
    if (zeros < 0) return {.outcome = Scaled::Outcome::fraction, .negative = result.negative};

    bool fits = true;
    for (const char c : digits.substr(0, last + 1)) {
        if (c >= '0') fits = fits && append_digit(result.magnitude, c);
    }
    for (; fits && zeros > 0; --zeros)
        fits = append_digit(result.magnitude, '0');
    if (!fits) result.outcome = Scaled::Outcome::too_large;
    return result;
}

} // namespace flotilla
