#pragma once

#include <string>
#include <string_view>

#include "services/user/api/user.hpp"

namespace user {

/// The address without surrounding blanks. Errors: invalid_email.
/// Accepts what mail systems in practice accept: one '@', a local part of RFC 5322 atom characters, a domain of labels.
Result<std::string> parse_email(std::string_view text);

} // namespace user
