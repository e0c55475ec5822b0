#pragma once

#include <flotilla/service/host.hpp>

namespace order {

/// Installs the order service: placing, reading and confirming orders. See README.md.
void install(flotilla::Host& host);

} // namespace order
