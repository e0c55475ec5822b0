// Strings: escapes in both directions.
#include <cstring>
#include <optional>

#include <simdjson.h>

#include <flotilla/base/json_reader.hpp>

namespace flotilla::json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD"; // U+FFFD

void append_utf8(std::string& out, std::uint32_t c) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        tail(0);
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | (c >> 12));
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xF0 | (c >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

/// The four hexadecimal digits at the start of text.
std::optional<std::uint32_t> hex4(std::string_view text) {
    if (text.size() < 4) return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : text.substr(0, 4)) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return std::nullopt;
        value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    return value;
}

bool is_high_surrogate(std::uint32_t c) { return c >= 0xD800 && c < 0xDC00; }
bool is_low_surrogate(std::uint32_t c) { return c >= 0xDC00 && c < 0xE000; }

/// Appends what the `\u....` at the start of text stands for, a surrogate pair included. Returns the bytes read, or 0:
/// not four digits, or half a pair, which no UTF-8 can hold.
std::size_t append_unicode_escape(std::string& out, std::string_view text) {
    const auto first = hex4(text.substr(2));
    if (!first || is_low_surrogate(*first)) return 0;
    if (!is_high_surrogate(*first)) {
        append_utf8(out, *first);
        return 6;
    }
    const auto second = text.substr(6).starts_with("\\u") ? hex4(text.substr(8)) : std::nullopt;
    if (!second || !is_low_surrogate(*second)) return 0;
    append_utf8(out, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
    return 12;
}

char simple_escape(char c) {
    switch (c) {
    case '"':
        return '"';
    case '\\':
        return '\\';
    case '/':
        return '/';
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

bool needs_escape(unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; }

void append_escape(std::string& out, unsigned char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    switch (c) {
    case '"':
        out += "\\\"";
        return;
    case '\\':
        out += "\\\\";
        return;
    case '\b':
        out += "\\b";
        return;
    case '\f':
        out += "\\f";
        return;
    case '\n':
        out += "\\n";
        return;
    case '\r':
        out += "\\r";
        return;
    case '\t':
        out += "\\t";
        return;
    default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
}

/// The number of bytes from `at` on that need no escape, looking at eight at a time. With ascii_only it also ends
/// before a byte above 127.
template <bool ascii_only>
std::size_t plain_run(std::string_view text, std::size_t at) {
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    const auto begin = at;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t w = 0;
        std::memcpy(&w, text.data() + at, 8);
        const auto quotes = w ^ (kOnes * '"'), slashes = w ^ (kOnes * '\\');
        auto special = ((w - kOnes * 0x20) & ~w) | ((quotes - kOnes) & ~quotes) | ((slashes - kOnes) & ~slashes);
        if constexpr (ascii_only) special |= w;
        if (special & kHighs) break;
    }
    for (; at < text.size(); ++at) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (needs_escape(c) || (ascii_only && c >= 0x80)) break;
    }
    return at - begin;
}

/// Appends the UTF-8 character at the start of text, or U+FFFD for a byte that starts none. Returns the bytes read.
std::size_t append_character(std::string& out, std::string_view text) {
    for (std::size_t size = 2; size <= 4 && size <= text.size(); ++size) {
        if (!simdjson::validate_utf8(text.data(), size)) continue;
        out.append(text, 0, size);
        return size;
    }
    out += kReplacement;
    return 1;
}

} // namespace

void quote(std::string& out, std::string_view text) {
    out += '"';
    bool known_valid = false; // UTF-8 is checked once, and only when there is something beyond ASCII
    for (std::size_t at = 0; at < text.size();) {
        const auto run = known_valid ? plain_run<false>(text, at) : plain_run<true>(text, at);
        out.append(text, at, run);
        at += run;
        if (at == text.size()) break;
        if (static_cast<unsigned char>(text[at]) < 0x80) {
            append_escape(out, static_cast<unsigned char>(text[at++]));
        } else if (simdjson::validate_utf8(text.data() + at, text.size() - at)) {
            known_valid = true;
        } else {
            at += append_character(out, text.substr(at));
        }
    }
    out += '"';
}

// raw: what follows the opening quote, up to the next token.
bool Reader::unescape(std::string_view raw, std::size_t offset, std::string& out) {
    std::size_t at = 0;
    while (at < raw.size() && raw[at] != '"') {
        const auto run = std::min(raw.find_first_of("\"\\", at), raw.size());
        out.append(raw, at, run - at);
        at = run;
        if (at >= raw.size() || raw[at] != '\\') continue;
        const char escape = at + 1 < raw.size() ? raw[at + 1] : '\0';
        if (const char plain = simple_escape(escape)) {
            out += plain;
            at += 2;
            continue;
        }
        const auto size = escape == 'u' ? append_unicode_escape(out, raw.substr(at)) : 0;
        if (size == 0) return malformed(offset + at, "an escape that is none");
        at += size;
    }
    if (at + 1 != raw.size()) return malformed(offset + at, "expected a closed string");
    return true;
}

} // namespace flotilla::json
