#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flotilla {

constexpr bool is_utf8_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The number of Unicode code points of valid UTF-8 (what JSON Schema calls a string's length).
constexpr std::size_t code_points(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text)
        count += !is_utf8_continuation(c);
    return count;
}

/// A foreign text for a message: at most 40 bytes of it, cut between characters, then "...".
inline std::string shortened(std::string_view text) {
    constexpr std::size_t kShownMax = 40;
    if (text.size() <= kShownMax) return std::string(text);
    auto end = kShownMax;
    while (end > 0 && is_utf8_continuation(text[end]))
        --end;
    return std::string(text.substr(0, end)) + "...";
}

} // namespace flotilla
