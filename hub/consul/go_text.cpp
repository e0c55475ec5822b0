#include "hub/consul/go_text.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

namespace flotilla::hub::consul {
namespace {

constexpr std::string_view kEscaped = "abfnrtv\\\"";
constexpr std::string_view kEscapes = "\a\b\f\n\r\t\v\\\"";

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    return 36;
}

void append_utf8(std::string& out, std::uint32_t rune) {
    if (rune < 0x80) {
        out += static_cast<char>(rune);
    } else if (rune < 0x800) {
        out += static_cast<char>(0xc0 | (rune >> 6));
    } else if (rune < 0x10000) {
        out += static_cast<char>(0xe0 | (rune >> 12));
        out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (rune >> 18));
        out += static_cast<char>(0x80 | ((rune >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    }
    if (rune >= 0x80) out += static_cast<char>(0x80 | (rune & 0x3f));
}

/// Takes `count` digits of `base` from the front.
std::optional<std::uint32_t> take_digits(std::string_view& text, std::size_t count, int base) {
    if (text.size() < count) return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : text.substr(0, count)) {
        if (digit_of(c) >= base) return std::nullopt;
        value = value * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit_of(c));
    }
    text.remove_prefix(count);
    return value;
}

/// Takes one escape sequence, its backslash already gone. False when it is none of Go's.
bool take_escape(std::string_view& text, std::string& out) {
    if (text.empty()) return false;
    const char kind = text.front();
    if (const auto at = kEscaped.find(kind); at != std::string_view::npos) {
        text.remove_prefix(1);
        out += kEscapes[at];
        return true;
    }
    if (kind >= '0' && kind <= '7') {
        const auto byte = take_digits(text, 3, 8);
        if (!byte || *byte > 0xff) return false;
        out += static_cast<char>(*byte);
        return true;
    }
    text.remove_prefix(1);
    if (kind == 'x') {
        const auto byte = take_digits(text, 2, 16);
        if (byte) out += static_cast<char>(*byte);
        return byte.has_value();
    }
    if (kind != 'u' && kind != 'U') return false;
    const auto rune = take_digits(text, kind == 'u' ? 4 : 8, 16);
    if (!rune || *rune > 0x10ffff || (*rune >= 0xd800 && *rune < 0xe000)) return false;
    append_utf8(out, *rune);
    return true;
}

Error syntax_error(std::string_view function, std::string_view text) {
    return {Kind::invalid, fmt::format("strconv.{}: parsing {}: invalid syntax", function, go_quoted(text))};
}

/// Underscores stand between digits, or behind the prefix, one at a time.
bool underscores_fit(std::string_view digits, bool prefixed) {
    if (!digits.contains('_')) return true;
    if (!prefixed && digits.front() != '0') return false;
    bool after_digit = prefixed;
    for (const char c : digits) {
        if (c == '_' && !after_digit) return false;
        after_digit = c != '_';
    }
    return after_digit;
}

struct Prefix {
    std::string_view text;
    int base;
};
constexpr std::array<Prefix, 4> kPrefixes{{{"0x", 16}, {"0b", 2}, {"0o", 8}, {"0", 8}}};

bool starts_with_prefix(std::string_view text, std::string_view prefix) {
    return text.size() > prefix.size() && text.front() == '0' &&
           (prefix.size() == 1 || static_cast<char>(text[1] | 0x20) == prefix[1]);
}

} // namespace

std::string go_quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto at = kEscapes.find(c);
        if (at != std::string_view::npos) {
            out += '\\';
            out += kEscaped[at];
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::optional<std::string> go_unquoted(std::string_view literal) {
    if (literal.size() < 2 || literal.front() != literal.back()) return std::nullopt;
    const char quote = literal.front();
    auto text = literal.substr(1, literal.size() - 2);
    if (text.contains(quote) && quote == '`') return std::nullopt;
    std::string out;
    if (quote == '`') {
        std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c != '\r'; });
        return out;
    }
    if (quote != '"') return std::nullopt;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == '"' || c == '\n') return std::nullopt;
        if (c != '\\') {
            out += c;
        } else if (!take_escape(text, out)) {
            return std::nullopt;
        }
    }
    return out;
}

Result<std::int64_t> parse_go_int(std::string_view text) {
    auto digits = text;
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    int base = 10;
    for (const auto& prefix : kPrefixes) {
        if (!starts_with_prefix(digits, prefix.text)) continue;
        base = prefix.base;
        digits.remove_prefix(prefix.text.size());
        break;
    }
    if (digits.empty() || !underscores_fit(digits, base != 10)) return syntax_error("ParseInt", text);
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const auto limit = kMax + (negative ? 1 : 0);
    std::uint64_t value = 0;
    bool too_large = false;
    for (const char c : digits) {
        if (c == '_') continue;
        const auto digit = digit_of(c);
        if (digit >= base) return syntax_error("ParseInt", text);
        const auto next =
            static_cast<unsigned __int128>(value) * static_cast<unsigned>(base) + static_cast<unsigned>(digit);
        too_large |= next > limit;
        value = static_cast<std::uint64_t>(next);
    }
    if (too_large)
        return Error(Kind::invalid, fmt::format("strconv.ParseInt: parsing {}: value out of range", go_quoted(text)));
    return negative ? static_cast<std::int64_t>(-value) : static_cast<std::int64_t>(value);
}

Result<bool> parse_go_bool(std::string_view text) {
    for (const auto* yes : {"1", "t", "T", "true", "True", "TRUE"}) {
        if (text == yes) return true;
    }
    for (const auto* no : {"0", "f", "F", "false", "False", "FALSE"}) {
        if (text == no) return false;
    }
    return syntax_error("ParseBool", text);
}

} // namespace flotilla::hub::consul
