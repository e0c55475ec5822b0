#pragma once

#include <flotilla/service/host.hpp>

namespace user {

/// Installs the user service: its endpoints, its database. See README.md.
void install(flotilla::Host& host);

} // namespace user
