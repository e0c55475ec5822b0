#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/http/exchange.hpp>

namespace flotilla::gateway {

/// What the steps before routing have found out about a request.
struct RequestFacts {
    std::string_view id;                         ///< x-request-id
    std::string_view path;                       ///< normalised
    std::optional<std::uint32_t> hops_left = {}; ///< Max-Forwards to send on
};

/// "1b4e28ba-2fa1-11d2-883f-0016d3cca427" and what else may serve as an id in logs: 1..128 of letters, digits,
/// "-_.~:+/=".
bool is_request_id(std::string_view text);

/// What the gateway calls itself in Via: no host name, since that would tell what lies inside (RFC 9110 §7.6.3).
inline constexpr std::string_view kViaName = "flotilla";
/// A request that has been here so often is going in a circle. Less would refuse gateways set one behind the other.
inline constexpr unsigned kVisitsMax = 4;

/// Errors: bad_gateway (loop_detected, 508) for a request that has passed gateways of this name kVisitsMax times.
Result<void> check_loop(const http::Headers& headers);

/// The Max-Forwards of an OPTIONS request (other methods may ignore it, RFC 9110 §7.6.2); nullopt without one. Numbers
/// beyond 32 bits count as the largest. Errors: invalid.
Result<std::optional<std::uint32_t>> max_forwards(const http::Headers& headers);

/// The head to send upstream, but for what is another for each try, which http::OutgoingCall adds (traceparent, the
/// remaining deadline, how critical it is): the client's method and end-to-end fields, then the gateway's own fields,
/// which no client can set or have removed: Via (behind those that came), X-Forwarded-For, -Proto, -Host, and -Path
/// where the path sent on is another than the client's, x-request-id, tracestate and what is left of Max-Forwards. Not
/// copied: hop-by-hop fields (RFC 9110 §7.6.1) and those that Connection names; X-Forwarded-*, Forwarded, X-Real-IP,
/// X-Original-URL and X-Rewrite-URL, which nobody is trusted to send; and what CGI and its like cannot tell from one of
/// all these, or take for a setting of their own (Proxy). Requires: out.target is set. The authority is left to the
/// caller.
void fill_upstream_head(const Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                        http::RequestHead& out);

/// As fill_upstream_head(), for a call of the gateway's own on behalf of the client: also without the fields that speak
/// of the client's own request and answer (content, conditions, ranges, accepted formats). Requires: out.method is set,
/// too.
void fill_branch_head(const Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                      http::RequestHead& out);

/// What a branch's service may tell requests by: the host that was asked for, and all fields that fill_branch_head()
/// passes on for the client. Two requests with another text here may have another answer.
std::string client_part(const http::RequestHead& request);

/// The head to send back: status and end-to-end fields of the upstream's, Via and x-request-id.
void fill_client_head(const http::ResponseHead& upstream, std::string_view request_id, http::ResponseHead& out);

/// Trailers without fields that frame, route or speak for the gateway, and without those that the Connection field of
/// their message's head names.
void copy_trailers(const http::Headers& from, const http::Headers& head, http::Headers& out);

} // namespace flotilla::gateway
