#pragma once

#include <string>
#include <string_view>

#include <flotilla/http/exchange.hpp>

namespace flotilla::gateway {

/// What the steps before routing have found out about a request.
struct RequestFacts {
    std::string_view id;   ///< x-request-id
    std::string_view path; ///< normalised
};

/// "1b4e28ba-2fa1-11d2-883f-0016d3cca427" and what else may serve as an id in logs: 1..128 of letters, digits,
/// "-_.~:+/=".
bool is_request_id(std::string_view text);

/// The head to send upstream: the client's method and end-to-end fields, then the gateway's own fields, which no client
/// can set or have removed: X-Forwarded-For, -Proto and -Host, x-request-id, traceparent (a child span), tracestate and
/// the remaining deadline. Not copied: hop-by-hop fields (RFC 9110 §7.6.1) and those that Connection names,
/// X-Forwarded-*, Forwarded and X-Real-IP, which nobody is trusted to send.
/// The target and authority are left to the caller.
void fill_upstream_head(Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                        http::RequestHead& out);

/// As fill_upstream_head(), for a GET without a body on behalf of the client: also without the fields that speak of the
/// client's own request and answer (content, conditions, ranges, accepted formats).
void fill_branch_head(Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                      http::RequestHead& out);

/// The head to send back: status and end-to-end fields of the upstream's, and x-request-id.
void fill_client_head(const http::ResponseHead& upstream, std::string_view request_id, http::ResponseHead& out);

/// Trailers without fields that frame, route or speak for the gateway.
void copy_trailers(const http::Headers& from, http::Headers& out);

} // namespace flotilla::gateway
