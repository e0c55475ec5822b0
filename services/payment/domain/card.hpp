#pragma once

#include <string>

#include "services/payment/api/payment.hpp"

namespace payment {

/// The card's digits. Errors: invalid_card, which says what is wrong and never repeats what was sent: not 12 to 19
/// digits whose check digit (ISO/IEC 7812, Luhn) fits, expired by `now`, not three or four digits of a CVC.
Result<std::string> card_digits(const AddCard& card, Timestamp now);

/// "visa", "mastercard", "amex", "discover" or "card".
std::string_view brand_of(std::string_view digits);

} // namespace payment
