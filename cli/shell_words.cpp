#include "cli/shell_words.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace flotilla::cli {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

/// Means itself to every shell.
bool is_plain(char c) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter_or_digit || static_cast<unsigned char>(c) >= 0x80 || std::string_view("/._-+:@%,=").contains(c);
}

} // namespace

std::string shell_word(std::string_view text) {
    if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
    const bool escapes = std::ranges::any_of(text, is_control);
    std::string word = escapes ? "$'" : "'";
    for (const char c : text) {
        if (is_control(c)) {
            fmt::format_to(std::back_inserter(word), "\\x{:02x}", static_cast<unsigned char>(c));
        } else if (escapes && (c == '\'' || c == '\\')) {
            word.append("\\").push_back(c);
        } else if (c == '\'') {
            word += R"('\'')";
        } else {
            word += c;
        }
    }
    return word += '\'';
}

} // namespace flotilla::cli
