#pragma once

#include <cstdint>
#include <string>

#include <flotilla/contract/endpoint.hpp>
#include <flotilla/contract/versioned.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla {

/// The ETag of a resource's version: the number in quotes, strong. Empty for a version that is not known.
std::string etag_of(std::int64_t version);

/// What If-Match (compared strongly) and If-None-Match (weakly) of a request say about the versions its change is meant
/// for. A tag that no version has is none that there could be. Errors: invalid `precondition_required` when the
/// endpoint requires an If-Match, and there is none.
Result<ExpectedVersion> expected_version(const http::Headers& headers, const EndpointOptions& endpoint);

} // namespace flotilla
