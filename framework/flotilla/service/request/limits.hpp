#pragma once

#include <flotilla/contract/endpoint.hpp>
#include <flotilla/http/exchange.hpp>

namespace flotilla {

/// Puts an endpoint's own limits of body and time in the place of the server's. Errors: too_large, before anything of
/// the body is read. `body_bytes_max`: for endpoints that declare none.
Result<void> apply_limits(http::Exchange& exchange, const EndpointOptions& endpoint, std::uint64_t body_bytes_max);

} // namespace flotilla
