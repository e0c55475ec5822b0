#pragma once

#include <cstdint>
#include <string>

#include <flotilla/base/money.hpp>

namespace flotilla::json {

void write_integer(std::string& out, std::int64_t value);
void write_unsigned(std::string& out, std::uint64_t value);
/// The shortest text that reads back the same. Throws std::domain_error for infinity and NaN.
void write_real(std::string& out, double value);
/// Without zeros at the end: 19.99, 19.5, 20.
void write_money(std::string& out, Money amount);

} // namespace flotilla::json
