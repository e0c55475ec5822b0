#pragma once

#include <string_view>

namespace flotilla::hub::consul {

/// What of Consul 1.20 a path below /v1/ belongs to when it is nothing that this registry serves; empty: Consul does
/// not know the path either.
std::string_view unserved(std::string_view path);

} // namespace flotilla::hub::consul
