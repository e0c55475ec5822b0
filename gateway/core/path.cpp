#include "gateway/core/path.hpp"

#include <algorithm>
#include <array>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>
#include <flotilla/http/message.hpp>
#include <flotilla/node/own_pages.hpp>
#include <flotilla/resilience/target_report.hpp>

namespace flotilla::gateway {
namespace {

constexpr auto kPages = [] {
    std::array<std::string_view, kOwnPagePaths.size() + 1> pages{};
    std::ranges::copy(kOwnPagePaths, pages.begin());
    pages.back() = kTargetsPath;
    return pages;
}();

enum class Character : unsigned char { forbidden, foreign, ordinary, unreserved };

// pchar of RFC 3986 §3.3 without '%' is ordinary or unreserved; what else may arrive is escaped (foreign) or refused.
constexpr auto kCharacters = [] {
    std::array<Character, 256> table{};
    for (unsigned c = 0x21; c < 256; ++c)
        table[c] = Character::foreign;
    for (const char c : std::string_view("!$&'()*+,;=:@"))
        table[static_cast<unsigned char>(c)] = Character::ordinary;
    for (unsigned c = 'a'; c <= 'z'; ++c)
        table[c] = Character::unreserved;
    for (unsigned c = 'A'; c <= 'Z'; ++c)
        table[c] = Character::unreserved;
    for (unsigned c = '0'; c <= '9'; ++c)
        table[c] = Character::unreserved;
    for (const char c : std::string_view("-._~"))
        table[static_cast<unsigned char>(c)] = Character::unreserved;
    for (const char c : std::string_view("\\#\x7f"))
        table[static_cast<unsigned char>(c)] = Character::forbidden;
    return table;
}();

Character character(char c) { return kCharacters[static_cast<unsigned char>(c)]; }

bool is_normal(std::string_view path) {
    char previous = 'x';
    for (const char c : path) {
        if (c == '/') {
            if (previous == '/') return false;
        } else if (c == '.') {
            if (previous == '/') return false; // may begin a dot segment
        } else if (character(c) < Character::ordinary) {
            return false;
        }
        previous = c;
    }
    return true;
}

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void append_escaped(std::string& out, unsigned char byte) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
}

Error bad_path(std::string_view what) { return Error(Kind::invalid, "invalid_path", "the path " + std::string(what)); }

/// Whether a decoded segment becomes a dot segment for whoever splits it at slashes of either kind and drops
/// parameters: to such a server the path is another one than it was here. For a service of ours it is a text like any
/// other.
bool has_dot_segment(std::string_view decoded) {
    while (true) {
        const auto end = decoded.find_first_of("/\\");
        const auto piece = decoded.substr(0, std::min(end, decoded.find(';')));
        if (piece == "." || piece == "..") return true;
        if (end == std::string_view::npos) return false;
        decoded.remove_prefix(end + 1);
    }
}

// Appends one segment in its normal form.
Result<void> append_segment(std::string& out, std::string_view segment) {
    const auto begin = out.size();
    bool has_separator = false; // escaped
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const char c = segment[i];
        if (c == '%') {
            const int high = i + 1 < segment.size() ? hex(segment[i + 1]) : -1;
            const int low = i + 2 < segment.size() ? hex(segment[i + 2]) : -1;
            if (high < 0 || low < 0) return bad_path("has a '%' that two hexadecimal digits do not follow");
            const auto byte = static_cast<unsigned char>(high * 16 + low);
            if (byte == 0) return bad_path("has an escaped NUL");
            has_separator = has_separator || byte == '/' || byte == '\\';
            if (kCharacters[byte] == Character::unreserved) {
                out += static_cast<char>(byte);
            } else {
                append_escaped(out, byte);
            }
            i += 2;
        } else if (character(c) == Character::forbidden) {
            return bad_path("has a character that must be escaped");
        } else if (character(c) == Character::foreign) {
            append_escaped(out, static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
    if (!has_separator) return {};
    const auto decoded = http::percent_decode(std::string_view(out).substr(begin));
    if (!decoded || has_dot_segment(*decoded)) return bad_path("has a dot segment behind an escaped slash");
    return {};
}

} // namespace

Result<std::string_view> normalise_path(std::string_view path, std::string& buffer) {
    if (!path.starts_with('/')) return bad_path("must start with '/'");
    if (is_normal(path)) return path;

    buffer.clear();
    bool ends_in_slash = false;
    for (std::size_t at = 0; at < path.size();) {
        const auto begin = at + 1; // path[at] is a slash
        const auto end = std::min(path.find('/', begin), path.size());
        const auto mark = buffer.size();
        buffer += '/';
        if (auto appended = append_segment(buffer, path.substr(begin, end - begin)); !appended) {
            return std::move(appended.error());
        }
        const auto segment = std::string_view(buffer).substr(mark + 1);
        if (segment.starts_with(".;") || segment.starts_with("..;"))
            return bad_path("has a dot segment with parameters");
        const bool up = segment == "..";
        ends_in_slash = segment.empty() || segment == "." || up;
        if (ends_in_slash) buffer.resize(mark);
        if (up) buffer.resize(buffer.empty() ? 0 : buffer.rfind('/'));
        at = end;
    }
    if (ends_in_slash || buffer.empty()) buffer += '/';
    return std::string_view(buffer);
}

OwnPage own_page(std::string_view path) {
    if (path.size() < 2 || std::string_view("lLrRhHmMtT").find(path[1]) == std::string_view::npos) return OwnPage::none;
    for (const auto page : kPages) {
        if (!equal_ignoring_case(path.substr(0, page.size()), page)) continue;
        const auto rest = path.substr(page.size());
        if (rest.empty()) return path == page ? OwnPage::page : OwnPage::disguised;
        const bool nothing_more = rest == "/" || rest.starts_with("/;") || rest.starts_with(';') ||
                                  rest.starts_with("%2F") || rest.starts_with("%3B") || rest.starts_with("%5C");
        if (nothing_more) return OwnPage::disguised;
    }
    return OwnPage::none;
}

} // namespace flotilla::gateway
