#pragma once

#include <cstddef>
#include <string_view>

namespace flotilla::http {

/// 1*tchar (RFC 9110 §5.6.2): methods and field names.
bool is_token(std::string_view text);
/// The length of the leading run of tchar.
std::size_t token_prefix(std::string_view text);
/// Visible characters, obs-text, space and tab: no other control character (RFC 9110 §5.5).
bool is_field_value(std::string_view text);
/// A path and query as clients send them: RFC 3986 characters, and those that the WHATWG URL standard lets browsers
/// leave bare (`[ ] | ^` in paths, `` \ ^ ` { | } [ ] `` in queries). Never a fragment.
bool is_origin_target(std::string_view text);
/// uri-host [":" port] with a host that is not empty (RFC 9110 §4.2.1 and §7.2); no userinfo.
bool is_authority(std::string_view text);

/// Without leading and trailing spaces and tabs.
std::string_view trim(std::string_view text);
/// The value of a hexadecimal digit, or -1.
int hex_value(char digit);

/// Calls visit(element) for each non-empty element of a comma-separated list, trimmed (RFC 9110 §5.6.1.2).
template <class Visit>
void for_each_element(std::string_view list, Visit visit) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto element = trim(list.substr(0, comma));
        if (!element.empty()) visit(element);
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    }
}

} // namespace flotilla::http
