#include "services/user/domain/email.hpp"

#include <algorithm>
#include <ranges>

namespace user {
namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_local_part(std::string_view text) {
    if (text.empty() || text.size() > 64 || text.front() == '.' || text.back() == '.') return false;
    if (text.find("..") != std::string_view::npos) return false;
    return std::ranges::all_of(text, [](char c) {
        return is_letter_or_digit(c) || std::string_view(".!#$%&'*+/=?^_`{|}~-").contains(c) ||
               static_cast<unsigned char>(c) >= 0x80;
    });
}

bool is_label(std::string_view text) {
    if (text.empty() || text.size() > 63 || text.front() == '-' || text.back() == '-') return false;
    return std::ranges::all_of(
        text, [](char c) { return is_letter_or_digit(c) || c == '-' || static_cast<unsigned char>(c) >= 0x80; });
}

bool is_domain(std::string_view text) {
    return !text.empty() && text.size() <= 253 && std::ranges::all_of(text | std::views::split('.'), [](auto part) {
        return is_label(std::string_view(part));
    });
}

} // namespace

Result<std::string> parse_email(std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    const auto last = text.find_last_not_of(' ');
    if (first == std::string_view::npos) return invalid_email;
    text = text.substr(first, last - first + 1);
    const auto at = text.rfind('@');
    if (at == std::string_view::npos || !is_local_part(text.substr(0, at)) || !is_domain(text.substr(at + 1)))
        return invalid_email;
    return std::string(text);
}

} // namespace user
