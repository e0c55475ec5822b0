#include <flotilla/base/uuid.hpp>

#include <array>
#include <stdexcept>

namespace flotilla {
namespace {

constexpr std::size_t kTextSize = 36;
constexpr bool is_dash_position(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

std::string to_text(const std::array<std::uint8_t, 16>& bytes) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text(kTextSize, '-');
    std::size_t at = 0;
    for (const auto byte : bytes) {
        if (is_dash_position(at)) ++at;
        text[at++] = kHex[byte >> 4];
        text[at++] = kHex[byte & 15];
    }
    return text;
}

} // namespace

std::string make_uuid_v7(Timestamp now, std::span<const std::uint8_t, 10> random) {
    const auto milliseconds = now.milliseconds();
    if (now.microseconds() < 0 || milliseconds >> 48 != 0)
        throw std::out_of_range("a UUID's time is from 1970 to 10889");
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < 6; ++i)
        bytes[i] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
    for (std::size_t i = 0; i < 10; ++i)
        bytes[6 + i] = random[i];
    bytes[6] = static_cast<std::uint8_t>(0x70 | (bytes[6] & 0x0F)); // version 7
    bytes[8] = static_cast<std::uint8_t>(0x80 | (bytes[8] & 0x3F)); // variant 10
    return to_text(bytes);
}

bool is_uuid(std::string_view text) {
    if (text.size() != kTextSize) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (is_dash_position(i) ? c != '-' : !hex) return false;
    }
    return true;
}

} // namespace flotilla
