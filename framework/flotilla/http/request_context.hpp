#pragma once

#include <flotilla/aio/context.hpp>
#include <flotilla/http/http1/head_parser.hpp>

namespace flotilla::http {

/// The server's own span: a child of the caller's when `traceparent` is valid, else a new trace. Takes over
/// `tracestate` and `baggage`. The caller's span id stays readable in the request's `traceparent`.
TraceContext trace_of_request(const RequestParser& parser, World& world);

/// How long the client waits for the answer: `flotilla-timeout-ms`, else `grpc-timeout`; Duration::max() without one.
/// Errors: invalid (malformed), deadline_exceeded (nothing is left).
Result<Duration> time_allowed(const RequestParser& parser);

/// How critical the client says the request is: `flotilla-criticality`; nullopt without one.
/// Errors: invalid (none of the three, or said twice).
Result<std::optional<Criticality>> criticality_of_request(const RequestParser& parser);

/// How many tries of this request were spent before this one, summed over the hops above: `flotilla-attempts`; 0
/// without one. Errors: invalid (no number of three digits at most, or said twice).
Result<std::uint32_t> attempts_of_request(const RequestParser& parser);

/// "250m" (gRPC over HTTP/2: at most 8 digits and one of H M S m u n) to a duration.
std::optional<Duration> parse_grpc_timeout(std::string_view text);

} // namespace flotilla::http
