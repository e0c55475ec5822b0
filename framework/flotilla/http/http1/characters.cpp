#include <flotilla/http/http1/characters.hpp>

#include <array>
#include <cstdint>

namespace flotilla::http {

namespace {

enum Class : std::uint8_t { token = 1, in_path = 2, in_query = 4, in_host = 8, lower_differs = 16 };

constexpr std::array<std::uint8_t, 256> classify() {
    std::array<std::uint8_t, 256> table{};
    const auto mark = [&table](std::string_view characters, int classes) {
        for (const char c : characters)
            table[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(classes);
    };
    mark("abcdefghijklmnopqrstuvwxyz0123456789", token | in_path | in_query | in_host);
    mark("ABCDEFGHIJKLMNOPQRSTUVWXYZ", token | in_path | in_query | in_host | lower_differs);
    mark("!#$%&'*+-.^_`|~", token);
    mark("-._~!$&'()*+,;=%", in_path | in_query | in_host); // unreserved, sub-delims, percent-encoded
    mark(":@/", in_path | in_query);
    mark("[]|^", in_path | in_query);
    mark("?\\`{}", in_query);
    return table;
}
constexpr auto classes = classify();

bool has(char c, int wanted) { return (classes[static_cast<unsigned char>(c)] & wanted) != 0; }

std::size_t prefix(std::string_view text, int wanted) {
    std::size_t at = 0;
    while (at < text.size() && has(text[at], wanted))
        ++at;
    return at;
}

char lower(char c) { return has(c, lower_differs) ? static_cast<char>(c | 0x20) : c; }

} // namespace

std::size_t token_prefix(std::string_view text) { return prefix(text, token); }

bool is_token(std::string_view text) { return !text.empty() && token_prefix(text) == text.size(); }

bool is_field_value(std::string_view text) {
    unsigned bad = 0; // without a branch, so that the compiler turns the loop into vector instructions
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        bad |= static_cast<unsigned>(byte < 0x20) & static_cast<unsigned>(byte != '\t');
        bad |= static_cast<unsigned>(byte == 0x7f);
    }
    return bad == 0;
}

bool is_origin_target(std::string_view text) {
    if (text.empty() || text.front() != '/') return false;
    const auto path = prefix(text, in_path);
    if (path == text.size()) return true;
    return text[path] == '?' && prefix(text.substr(path), in_query) == text.size() - path;
}

bool is_authority(std::string_view text) {
    std::size_t host = 0;
    if (text.starts_with('[')) {
        host = text.find(']');
        if (host == std::string_view::npos || host < 3) return false;
        for (const char c : text.substr(1, host - 1)) {
            if (hex_value(c) < 0 && c != ':' && c != '.') return false;
        }
        ++host;
    } else {
        host = prefix(text, in_host);
        if (host == 0) return false;
    }
    auto port = text.substr(host);
    if (port.empty()) return true;
    if (port.front() != ':' || port.size() > 6) return false;
    port.remove_prefix(1);
    for (const char c : port) {
        if (c < '0' || c > '9') return false;
    }
    return true;
}

bool same_text(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

} // namespace flotilla::http
