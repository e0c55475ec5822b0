#include <flotilla/http/http1/characters.hpp>

#include <array>
#include <cstdint>
#include <cstring>

namespace flotilla::http {

namespace {

enum Class : std::uint8_t { token = 1, in_path = 2, in_query = 4, in_host = 8 };

constexpr std::array<std::uint8_t, 256> classify() {
    std::array<std::uint8_t, 256> table{};
    const auto mark = [&table](std::string_view characters, int classes) {
        for (const char c : characters)
            table[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(classes);
    };
    mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", token | in_path | in_query | in_host);
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

// Vectors of the compiler's: SSE2 on x86, NEON on ARM.
using Bytes16 [[gnu::vector_size(16)]] = unsigned char;
using Bytes8 [[gnu::vector_size(8)]] = unsigned char;

/// Whether a control character other than tab is among the bytes.
template <class Bytes>
bool has_control(const char* at) {
    Bytes bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    const auto bad = ((bytes < 0x20) & (bytes != '\t')) | (bytes == 0x7f);
    std::array<std::uint64_t, sizeof bad / sizeof(std::uint64_t)> words;
    std::memcpy(&words, &bad, sizeof bad);
    std::uint64_t any = 0;
    for (const auto word : words)
        any |= word;
    return any != 0;
}

} // namespace

std::size_t token_prefix(std::string_view text) { return prefix(text, token); }

bool is_token(std::string_view text) { return !text.empty() && token_prefix(text) == text.size(); }

bool is_field_value(std::string_view text) {
    const char* at = text.data();
    if (text.size() >= sizeof(Bytes16)) {
        const char* last = at + text.size() - sizeof(Bytes16);
        for (; at < last; at += sizeof(Bytes16)) {
            if (has_control<Bytes16>(at)) return false;
        }
        return !has_control<Bytes16>(last); // may look at some bytes twice
    }
    if (text.size() >= sizeof(Bytes8)) return !has_control<Bytes8>(at) && !has_control<Bytes8>(at + text.size() - 8);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
    }
    return true;
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
