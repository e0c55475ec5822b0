#pragma once

#include <span>
#include <string>
#include <string_view>

#include <flotilla/contract/endpoint.hpp>

namespace flotilla {

/// The OpenAPI 3.1.0 document of a service, as JSON text: its endpoints in the order given, schemas with bounds, each
/// declared error with its status and an example, and what every endpoint of its kind may answer besides. The same
/// endpoints give the same text. body_bytes_max: of those that declare none. Source:
/// https://spec.openapis.org/oas/v3.1.0
std::string openapi_document(std::string_view service, std::string_view version,
                             std::span<const EndpointInfo* const> endpoints, std::uint64_t body_bytes_max);

} // namespace flotilla
