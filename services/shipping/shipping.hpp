#pragma once

#include <flotilla/service/host.hpp>

namespace shipping {

/// Installs the shipping service: quotes, shipments and their way to the customer. See README.md.
void install(flotilla::Host& host);

} // namespace shipping
