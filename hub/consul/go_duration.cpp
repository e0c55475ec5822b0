#include "hub/consul/go_duration.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace flotilla::hub::consul {
namespace {

// Two-letter units first: "m" would match "ms".
constexpr std::array<std::pair<std::string_view, double>, 8> kUnits{{
    {"ns", 1},
    {"us", 1e3},
    {"µs", 1e3},
    {"ms", 1e6},
    {"s", 1e9},
    {"m", 60e9},
    {"h", 3600e9},
    {"", 0},
}};

constexpr double kNanosecondsMax = 9.2e18;

} // namespace

std::optional<Duration> parse_go_duration(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text == "0") return Duration::zero();
    if (text.empty()) return std::nullopt;
    double total = 0;
    while (!text.empty()) {
        // from_chars would also take "inf" and exponents.
        const auto digits = text.find_first_not_of("0123456789.");
        if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
        double number = 0;
        const auto [end, failed] = std::from_chars(text.data(), text.data() + digits, number);
        if (failed != std::errc() || end != text.data() + digits) return std::nullopt;
        text.remove_prefix(digits);
        for (const auto& [unit, nanoseconds] : kUnits) {
            if (unit.empty()) return std::nullopt;
            if (!text.starts_with(unit)) continue;
            total += number * nanoseconds;
            text.remove_prefix(unit.size());
            break;
        }
        if (total > kNanosecondsMax) return std::nullopt;
    }
    const auto nanoseconds = static_cast<std::int64_t>(std::llround(total));
    return Duration(negative ? -nanoseconds : nanoseconds);
}

std::string go_text(Duration duration) {
    if (duration == Duration::zero()) return "0s";
    const std::string_view sign = duration < Duration::zero() ? "-" : "";
    const auto nanoseconds = std::abs(duration.count());
    if (nanoseconds < 1'000) return fmt::format("{}{}ns", sign, nanoseconds);
    if (nanoseconds < 1'000'000) return fmt::format("{}{}µs", sign, static_cast<double>(nanoseconds) / 1e3);
    if (nanoseconds < 1'000'000'000) return fmt::format("{}{}ms", sign, static_cast<double>(nanoseconds) / 1e6);
    const auto minutes = nanoseconds / 60'000'000'000;
    const double seconds = static_cast<double>(nanoseconds % 60'000'000'000) / 1e9;
    if (minutes == 0) return fmt::format("{}{}s", sign, seconds);
    if (minutes < 60) return fmt::format("{}{}m{}s", sign, minutes, seconds);
    return fmt::format("{}{}h{}m{}s", sign, minutes / 60, minutes % 60, seconds);
}

} // namespace flotilla::hub::consul
