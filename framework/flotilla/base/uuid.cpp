#include <flotilla/base/uuid.hpp>

#include <array>
#include <stdexcept>

namespace flotilla {
namespace {

constexpr bool is_dash_position(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

Uuid to_text(std::span<const std::uint8_t> bytes) {
    Uuid text;
    char* at = text.characters.data();
    for (const std::size_t size : {4, 2, 2, 2, 6}) {
        if (at != text.characters.data()) *at++ = '-';
        at = write_hex(bytes.first(size), at);
        bytes = bytes.subspan(size);
    }
    return text;
}

} // namespace

Uuid make_uuid_v7(Timestamp now, std::span<const std::uint8_t, 10> random) {
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
    if (text.size() != std::tuple_size_v<decltype(Uuid::characters)>) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (is_dash_position(i) ? c != '-' : !hex) return false;
    }
    return true;
}

} // namespace flotilla
