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

/// The beginning of a text, at most so many bytes, cut between characters.
constexpr std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    while (bytes_max > 0 && is_utf8_continuation(text[bytes_max]))
        --bytes_max;
    return text.substr(0, bytes_max);
}

/// A foreign text for a message: at most 40 bytes of it, cut between characters, then "...".
inline std::string shortened(std::string_view text) {
    constexpr std::size_t kShownMax = 40;
    if (text.size() <= kShownMax) return std::string(text);
    return std::string(utf8_prefix(text, kShownMax)) + "...";
}

} // namespace flotilla
