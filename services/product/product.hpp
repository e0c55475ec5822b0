#pragma once

#include <flotilla/service/host.hpp>

namespace product {

/// Installs the product service: the catalogue. See README.md.
void install(flotilla::Host& host);

} // namespace product
