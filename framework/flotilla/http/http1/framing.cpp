#include <flotilla/http/http1/framing.hpp>

#include <limits>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

/// 1*DIGIT; false for anything else.
bool parse_length(std::string_view text, std::uint64_t& length) {
    constexpr auto max = std::numeric_limits<std::uint64_t>::max();
    if (text.empty()) return false;
    length = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        length = length > (max - digit) / 10 ? max : length * 10 + digit;
    }
    return true;
}

} // namespace

bool MessageFraming::add_content_length(std::string_view value) {
    // RFC 9110 §8.6: equal numbers in a list or several lines may count as one; an empty element may not.
    while (true) {
        const auto comma = value.find(',');
        std::uint64_t length = 0;
        if (!parse_length(trim(value.substr(0, comma)), length)) return false;
        // Beyond 64 bits two numbers cannot be told apart any more.
        if (has_length_ && (length != length_ || length == std::numeric_limits<std::uint64_t>::max())) return false;
        has_length_ = true;
        length_ = length;
        if (comma == std::string_view::npos) return true;
        value.remove_prefix(comma + 1);
    }
}

bool MessageFraming::add_transfer_encoding(std::string_view value) {
    has_transfer_encoding_ = true;
    bool allowed = !value.empty();
    for_each_element(value, [&](std::string_view coding) {
        if (chunked_) allowed = false; // chunked is the last coding, and applied once (RFC 9112 §6.1)
        const bool is_chunked = equal_ignoring_case(coding, "chunked");
        chunked_ = chunked_ || is_chunked;
        unknown_coding_ = unknown_coding_ || !is_chunked;
    });
    return allowed;
}

void MessageFraming::add_connection(std::string_view value) {
    for_each_element(value, [&](std::string_view option) {
        close_ = close_ || equal_ignoring_case(option, "close");
        keep_alive_ = keep_alive_ || equal_ignoring_case(option, "keep-alive");
        upgrade_ = upgrade_ || equal_ignoring_case(option, "upgrade");
    });
}

BodyFraming MessageFraming::request_body() const {
    if (has_transfer_encoding_) return BodyFraming::chunked;
    return has_length_ && length_ > 0 ? BodyFraming::known : BodyFraming::none;
}

BodyFraming MessageFraming::response_body(int status, bool to_head) const {
    if (to_head || status < 200 || status == 204 || status == 304) return BodyFraming::none;
    if (has_transfer_encoding_) return BodyFraming::chunked;
    if (has_length_) return length_ > 0 ? BodyFraming::known : BodyFraming::none;
    return BodyFraming::until_close;
}

} // namespace flotilla::http
