#pragma once

#include <string>
#include <string_view>

namespace flotilla::hub::consul {

/// JSON as `?pretty` asks for it: four spaces a level, as Go writes it. Requires: JSON without any space between its
/// parts.
std::string indented(std::string_view json);

} // namespace flotilla::hub::consul
