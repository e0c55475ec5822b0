#pragma once

#include <flotilla/service/host.hpp>

namespace payment {

/// Installs the payment service: payments, cards, invoices, the ledger. See README.md.
void install(flotilla::Host& host);

} // namespace payment
