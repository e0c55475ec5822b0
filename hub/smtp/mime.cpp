#include "hub/smtp/mime.hpp"

#include <algorithm>

#include <flotilla/base/ascii.hpp>

#include "hub/smtp/charset.hpp"

namespace flotilla::hub {

namespace {

constexpr int kPartDepthMax = 4;
constexpr std::size_t kWordBytesMax = 2048; // RFC 2047 allows 75; the end of one is not looked for without end

std::string_view trimmed(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!text.empty() && blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && blank(text.back()))
        text.remove_suffix(1);
    return text;
}

/// Takes one line off the front, without its end.
std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f') return ascii_lower(c) - 'a' + 10;
    return -1;
}

} // namespace

std::string_view ParsedMail::field(std::string_view name) const {
    const auto found =
        std::ranges::find_if(fields, [&](const auto& field) { return equal_ignoring_case(field.first, name); });
    return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

ParsedMail parse_mail(std::string_view text) {
    ParsedMail mail;
    while (!text.empty()) {
        const std::string_view before = text;
        const std::string_view line = take_line(text);
        if (line.empty()) break; // the body begins
        const bool folded = line.front() == ' ' || line.front() == '\t';
        const std::size_t colon = line.find(':');
        if (folded && !mail.fields.empty()) {
            std::string& value = mail.fields.back().second;
            if (!value.empty()) value += ' ';
            value += trimmed(line);
        } else if (colon != std::string_view::npos && !trimmed(line.substr(0, colon)).empty()) {
            mail.fields.emplace_back(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
        } else {
            text = before; // not a field: the body began without an empty line
            break;
        }
    }
    mail.body = text;
    return mail;
}

std::optional<std::string> decode_base64(std::string_view text) {
    std::string bytes;
    unsigned bits = 0;
    int held = 0;
    for (const char c : text) {
        if (c == '\r' || c == '\n' || c == ' ' || c == '\t') continue;
        if (c == '=') break;
        const int digit = base64_digit(c);
        if (digit < 0) return std::nullopt;
        bits = bits << 6 | static_cast<unsigned>(digit);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes += static_cast<char>(bits >> held & 0xFF);
        }
    }
    return bytes;
}

std::string decode_quoted_printable(std::string_view text, bool underscore_is_space) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::string_view rest = text.substr(i);
        if (rest.size() >= 3 && rest[0] == '=' && hex_digit(rest[1]) >= 0 && hex_digit(rest[2]) >= 0) {
            bytes += static_cast<char>(hex_digit(rest[1]) * 16 + hex_digit(rest[2]));
            i += 2;
        } else if (rest.starts_with("=\r\n")) {
            i += 2; // a soft line end
        } else if (rest.starts_with("=\n")) {
            i += 1;
        } else {
            bytes += underscore_is_space && rest[0] == '_' ? ' ' : rest[0];
        }
    }
    return bytes;
}

namespace {

/// An encoded word ("=?charset?B|Q?text?=") at the front of a text, its transfer encoding undone.
struct EncodedWord {
    std::string_view charset;
    std::string bytes;
    std::size_t size; ///< of the text
};

std::optional<EncodedWord> read_word(std::string_view text) {
    text = text.substr(0, kWordBytesMax);
    if (!text.starts_with("=?")) return std::nullopt;
    const std::size_t charset_end = text.find('?', 2);
    if (charset_end == std::string_view::npos || charset_end + 2 >= text.size() || text[charset_end + 2] != '?')
        return std::nullopt;
    const std::size_t end = text.find("?=", charset_end + 3);
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view charset = text.substr(2, charset_end - 2);
    charset = charset.substr(0, charset.find('*')); // RFC 2231: a language may follow
    const std::string_view encoded = text.substr(charset_end + 3, end - charset_end - 3);
    const char encoding = ascii_lower(text[charset_end + 1]);
    if (encoding != 'b' && encoding != 'q') return std::nullopt;
    auto bytes = encoding == 'b' ? decode_base64(encoded) : decode_quoted_printable(encoded, true);
    if (!bytes) return std::nullopt;
    return EncodedWord{charset, std::move(*bytes), end + 2};
}

/// Decodes the encoded words at the front of a text, of one character set and with nothing but blanks between them,
/// which do not count: many senders cut within a character. `size`: how much text they are.
std::optional<std::string> decode_words(std::string_view text, std::size_t& size) {
    auto first = read_word(text);
    if (!first) return std::nullopt;
    std::string bytes = std::move(first->bytes);
    size = first->size;
    for (;;) {
        const std::size_t next = text.find_first_not_of(" \t\r\n", size);
        const auto word = next == std::string_view::npos ? std::nullopt : read_word(text.substr(next));
        if (!word || !equal_ignoring_case(word->charset, first->charset)) break;
        bytes += word->bytes;
        size = next + word->size;
    }
    return decode_charset(bytes, first->charset);
}

} // namespace

std::string decode_header(std::string_view value) {
    std::string decoded;
    bool after_word = false;
    for (std::size_t at = 0; at < value.size();) {
        const std::size_t next = value.find("=?", at);
        const std::string_view plain = value.substr(at, next - at);
        std::size_t size = 0;
        const auto words = next == std::string_view::npos ? std::nullopt : decode_words(value.substr(next), size);
        const bool only_blanks = trimmed(plain).empty();
        if (!(words && after_word && only_blanks)) decoded += decode_unknown(plain);
        if (next == std::string_view::npos) break;
        decoded += words ? *words : "=?";
        at = next + (words ? size : 2);
        after_word = words.has_value();
    }
    return decoded;
}

namespace {

/// A parameter of a structured field: boundary="..." of a Content-Type.
std::string parameter(std::string_view value, std::string_view name) {
    for (std::size_t at = value.find(';'); at != std::string_view::npos; at = value.find(';', at + 1)) {
        const std::string_view rest = trimmed(value.substr(at + 1));
        const std::size_t equals = rest.find('=');
        if (equals == std::string_view::npos || !equal_ignoring_case(trimmed(rest.substr(0, equals)), name)) continue;
        const std::string_view text = trimmed(rest.substr(equals + 1));
        if (text.starts_with('"')) return std::string(text.substr(1, text.find('"', 1) - 1));
        return std::string(trimmed(text.substr(0, text.find(';'))));
    }
    return {};
}

std::string_view media_type(std::string_view content_type) {
    return trimmed(content_type.substr(0, content_type.find(';')));
}

/// The line end before a boundary belongs to the boundary (RFC 2046, section 5.1.1).
std::string_view without_last_line_end(std::string_view part) {
    if (part.ends_with('\n')) part.remove_suffix(1);
    if (part.ends_with('\r')) part.remove_suffix(1);
    return part;
}

std::vector<std::string_view> parts_of(std::string_view body, std::string_view boundary) {
    std::vector<std::string_view> parts;
    const std::string marker = "--" + std::string(boundary);
    const char* begin = nullptr;
    for (std::string_view rest = body; !rest.empty();) {
        const char* start = rest.data();
        const std::string_view line = take_line(rest);
        if (!line.starts_with(marker)) continue;
        std::string_view after = line.substr(marker.size());
        const bool last = after.starts_with("--");
        if (last) after.remove_prefix(2);
        if (!trimmed(after).empty()) continue; // a longer boundary, of an inner part
        if (begin) parts.push_back(without_last_line_end({begin, static_cast<std::size_t>(start - begin)}));
        if (last) break;
        begin = rest.data();
    }
    return parts;
}

std::string decoded_body(const ParsedMail& mail) {
    const std::string_view encoding = mail.field("Content-Transfer-Encoding");
    std::string bytes(mail.body);
    if (equal_ignoring_case(encoding, "base64")) bytes = decode_base64(mail.body).value_or(bytes);
    if (equal_ignoring_case(encoding, "quoted-printable")) bytes = decode_quoted_printable(mail.body);
    const std::string charset = parameter(mail.field("Content-Type"), "charset");
    auto decoded = decode_charset(bytes, charset);
    std::string text = decoded ? std::move(*decoded) : decode_unknown(bytes);
    std::erase(text, '\r');
    return text;
}

/// nullopt: no text in here.
std::optional<std::string> find_text(const ParsedMail& mail, int depth) {
    const std::string_view content_type = mail.field("Content-Type");
    const std::string_view type = media_type(content_type);
    if (type.empty() || equal_ignoring_case(type, "text/plain")) return decoded_body(mail);
    if (type.size() < 10 || !equal_ignoring_case(type.substr(0, 10), "multipart/") || depth == kPartDepthMax)
        return std::nullopt;
    for (const std::string_view part : parts_of(mail.body, parameter(content_type, "boundary"))) {
        if (auto text = find_text(parse_mail(part), depth + 1)) return text;
    }
    return std::nullopt;
}

} // namespace

std::string readable_text(const ParsedMail& mail) {
    if (auto text = find_text(mail, 0)) return *text;
    return decoded_body(mail);
}

} // namespace flotilla::hub
