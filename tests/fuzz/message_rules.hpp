#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/http/message.hpp>

#include "tests/fuzz/fuzz.hpp"

/// Rules of HTTP/1.1 messages, read naively and independently of the codec.
namespace flotilla::fuzz {

inline bool same_fields(const http::Headers& a, const http::Headers& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i].name != b[i].name || a[i].value != b[i].value) return false;
    }
    return true;
}

inline std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

/// The lines of a head behind its first one. A server's may be continued (RFC 9112 §5.2) and hold white space before
/// their colon (§5.1): both are taken away here, as the codec must.
inline std::vector<std::string> field_lines(std::string_view head, bool of_server) {
    std::vector<std::string> lines;
    for (bool first = true; !head.empty(); first = false) {
        const auto line_end = head.find("\r\n");
        const auto line = head.substr(0, line_end);
        head.remove_prefix(line_end + 2);
        require(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos,
                "a bare CR, LF or NUL was accepted");
        if (first) continue;
        if (of_server && line.find_first_of(" \t") == 0) {
            require(!lines.empty(), "a continuation of nothing was accepted");
            lines.back().append(" ").append(line);
            continue;
        }
        lines.emplace_back(line);
    }
    for (auto& line : lines) {
        const auto colon = line.find(':');
        if (!of_server || colon == std::string::npos || colon == 0) continue;
        const auto name_end = line.find_last_not_of(" \t", colon - 1) + 1;
        line.erase(name_end, colon - name_end);
    }
    return lines;
}

/// An accepted message: no two readers can find its end in different places (RFC 9112 §6.3, §11.2).
inline void require_unambiguous(std::string_view message, bool of_server) {
    while (message.starts_with("\r\n"))
        message.remove_prefix(2);
    const auto end = message.find("\r\n\r\n");
    require(end != std::string_view::npos, "a head without an empty line was accepted");
    std::optional<std::string> length;
    bool coded = false;
    for (const std::string_view line : field_lines(message.substr(0, end + 2), of_server)) {
        const auto colon = line.find(':');
        require(colon != std::string_view::npos && colon > 0, "a field without name or colon was accepted");
        require(line.substr(0, colon).find_first_of(" \t") == std::string_view::npos, "a blank in a name was accepted");
        const auto name = lower(line.substr(0, colon));
        if (name == "transfer-encoding") coded = true;
        if (name != "content-length") continue;
        auto value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        value = value.substr(0, value.find_last_not_of(" \t") + 1);
        // The codec compares numbers, and sends on what it has understood.
        value.remove_prefix(std::min(value.find_first_not_of('0'), value.size()));
        require(!length || *length == value || value.contains(',') || length->contains(','),
                "two different lengths were accepted");
        length = value;
    }
    require(!(length && coded), "a length and a transfer coding were accepted together");
}

} // namespace flotilla::fuzz
