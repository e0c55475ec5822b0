#include "services/payment/domain/card.hpp"

#include <algorithm>

namespace payment {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool are_digits(std::string_view text) { return std::ranges::all_of(text, is_digit); }

bool has_check_digit(std::string_view digits) {
    int sum = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const int digit = digits[digits.size() - 1 - i] - '0';
        const int weighed = i % 2 == 0 ? digit : digit * 2;
        sum += weighed > 9 ? weighed - 9 : weighed;
    }
    return sum % 10 == 0;
}

/// MM/YY as the year and month that RFC 3339 begins with: "2049-12"; empty when it is none.
std::string month_of(std::string_view expiry) {
    if (expiry.size() != 5 || expiry[2] != '/') return {};
    const auto month = expiry.substr(0, 2), year = expiry.substr(3);
    if (!are_digits(month) || !are_digits(year) || month < "01" || month > "12") return {};
    return "20" + std::string(year) + "-" + std::string(month);
}

} // namespace

Result<std::string> card_digits(const AddCard& card, Timestamp now) {
    std::string digits;
    std::ranges::copy_if(card.number.view(), std::back_inserter(digits), [](char c) { return c != ' '; });
    if (!are_digits(digits) || digits.size() < 12 || digits.size() > 19 || !has_check_digit(digits))
        return invalid_card.with("number is not that of a card");
    const auto expiry = month_of(card.expiry.view());
    if (expiry.empty()) return invalid_card.with("expiry is not MM/YY");
    if (expiry < now.to_string().substr(0, expiry.size())) return invalid_card.with("expiry has passed");
    if (!are_digits(card.cvc.view()) || card.cvc.size() < 3 || card.cvc.size() > 4)
        return invalid_card.with("cvc is not three or four digits");
    return digits;
}

std::string_view brand_of(std::string_view digits) {
    if (digits.starts_with('4')) return "visa";
    if (digits.starts_with("34") || digits.starts_with("37")) return "amex";
    if (digits >= "51" && digits < "56") return "mastercard";
    if (digits >= "2221" && digits < "2721") return "mastercard";
    if (digits.starts_with("6011") || digits.starts_with("65")) return "discover";
    return "card";
}

} // namespace payment
