#pragma once

#include <flotilla/service/host.hpp>

namespace inventory {

/// Installs the inventory service: stock and reservations. See README.md.
void install(flotilla::Host& host);

} // namespace inventory
