// Texts of durations: declared in base/time.hpp.
#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include <flotilla/base/text.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
};
constexpr std::array<Unit, 7> kUnits{{
    {"d", 86'400'000'000'000},
    {"h", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
}};

Error bad_duration(std::string_view why, std::string_view text) {
    return Error(Kind::invalid, "invalid_duration", fmt::format("{}, found \"{}\"", why, shortened(text)));
}

/// The digits after the point as nanoseconds of that unit; false when a part of a nanosecond would be lost.
bool add_fraction(std::string_view decimals, std::int64_t unit, std::int64_t& nanoseconds) {
    for (const char c : decimals) {
        if (c < '0' || c > '9') return false;
        if (c != '0' && (unit == 0 || unit % 10 != 0)) return false;
        unit /= 10;
        nanoseconds += (c - '0') * unit;
    }
    return !decimals.empty();
}

} // namespace

Result<Duration> parse_duration(std::string_view text) {
    constexpr std::string_view kForm = "expected a duration like 250ms, 1.5s, 2m or 1h";
    const auto unit_at = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto number = text.substr(0, unit_at);
    const Unit* unit = nullptr;
    for (const auto& candidate : kUnits) {
        if (candidate.name == text.substr(unit_at)) unit = &candidate;
    }
    const auto point = number.find('.');
    const auto whole = number.substr(0, point);
    if (!unit || whole.empty()) return bad_duration(kForm, text);

    std::int64_t nanoseconds = 0, fraction = 0;
    bool fits = std::from_chars(whole.data(), whole.data() + whole.size(), nanoseconds).ec == std::errc{};
    fits = fits && !__builtin_mul_overflow(nanoseconds, unit->nanoseconds, &nanoseconds);
    if (point != std::string_view::npos && !add_fraction(number.substr(point + 1), unit->nanoseconds, fraction)) {
        return bad_duration(kForm, text);
    }
    fits = fits && !__builtin_add_overflow(nanoseconds, fraction, &nanoseconds);
    if (!fits) return bad_duration("expected a duration below 292 years", text);
    return Duration(nanoseconds);
}

std::string to_string(Duration duration) {
    const auto total = duration.count();
    const auto magnitude = total < 0 ? 0 - static_cast<std::uint64_t>(total) : static_cast<std::uint64_t>(total);
    const std::string sign = total < 0 ? "-" : "";
    if (magnitude == 0) return "0s";
    for (const auto& [name, size] : kUnits) {
        const auto unit = static_cast<std::uint64_t>(size);
        const bool decimal = unit <= 1'000'000'000;
        if (magnitude < unit || (!decimal && magnitude % unit != 0)) continue;
        auto text = sign + std::to_string(magnitude / unit);
        if (const auto rest = magnitude % unit; rest != 0) {
            auto decimals = std::to_string(unit + rest).substr(1); // keeps the zeros in front
            decimals.erase(decimals.find_last_not_of('0') + 1);
            text += "." + decimals;
        }
        return text + std::string(name);
    }
    return sign + std::to_string(magnitude) + "ns";
}

} // namespace flotilla
