#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace flotilla {

/// A text of exactly Size characters, held in place: ids and trace headers are made for every request, and need no
/// memory of their own. Converts to whatever takes a text. Thread-safety: that of a value.
template <std::size_t Size>
struct FixedText {
    std::array<char, Size> characters;

    constexpr std::string_view view() const { return {characters.data(), Size}; }
    constexpr operator std::string_view() const { return view(); }
    operator std::string() const { return std::string(view()); }
    friend constexpr bool operator==(const FixedText& text, std::string_view other) { return text.view() == other; }
    friend constexpr auto operator<=>(const FixedText&, const FixedText&) = default;
};

/// Writes two lower-case hexadecimal digits a byte; returns the end of what was written.
/// Requires: room for twice the bytes.
inline char* write_hex(std::span<const std::uint8_t> bytes, char* out) {
    static constexpr auto kPairs = [] {
        constexpr std::string_view digits = "0123456789abcdef";
        std::array<std::array<char, 2>, 256> pairs{};
        for (std::size_t byte = 0; byte < pairs.size(); ++byte)
            pairs[byte] = {digits[byte >> 4], digits[byte & 15]};
        return pairs;
    }();
    for (const std::uint8_t byte : bytes) {
        *out++ = kPairs[byte][0];
        *out++ = kPairs[byte][1];
    }
    return out;
}

} // namespace flotilla
