#pragma once

#include <string>
#include <string_view>

#include <flotilla/aio/context.hpp>
#include <flotilla/http/exchange.hpp>

namespace flotilla::http {

/// The status an error is answered with: its kind's, or one that only HTTP knows and the code names
/// (request_timeout 408, precondition_failed 412, uri_too_long 414, range_not_satisfiable 416, expectation_failed 417,
/// misdirected_request 421, precondition_required 428, header_fields_too_large 431, http_version_not_supported 505,
/// loop_detected 508).
int status_of(const Error& error);

/// An error as application/problem+json (RFC 9457): type, title, status, detail, code, `error` (the message again, for
/// clients that read only that), `errors` (path and message of each bad field), and instance and traceId when given.
/// Errors of Kind::internal tell nothing but the trace id: whoever answers one logs it.
std::string problem_json(const Error& error, std::string_view instance, std::string_view trace_id = {});
/// As above, with a status that is not the error's own.
std::string problem_json(const Error& error, int status, std::string_view instance, std::string_view trace_id);

/// The path a client asked for, for `instance`: what a proxy in front that rewrites paths says it was
/// (X-Forwarded-Path), else the request's own. Whoever calls without a proxy may set the field too, which nothing but
/// its own answer depends on. A view into the request; at most kForwardedPathBytesMax, and a valid path.
std::string_view asked_path(const RequestHead& request);
inline constexpr std::size_t kForwardedPathBytesMax = 8 * 1024; ///< as long as a server's request line may be

/// Answers an exchange with problem_json, with Retry-After on 429 and 503 (1 s unless the error says otherwise) and
/// `Allow` when `allow` is given (405). One place for servers, services and the gateway.
/// Requires: no response sent yet. Errors: as Exchange::respond.
task<Result<void>> respond_error(Context& context, Exchange& exchange, const Error& error, std::string_view allow = {});

/// Answers OPTIONS: 204 with what `allow` lists, and OPTIONS itself. Requires and errors: as respond_error.
task<Result<void>> respond_options(Context& context, Exchange& exchange, std::string_view allow);
/// What `OPTIONS *` is answered with, which asks about the server and no resource of it (RFC 9110 §9.3.7).
inline constexpr std::string_view kServerMethods = "DELETE, GET, HEAD, PATCH, POST, PUT";

/// Retry-After in seconds; zero when there is none, or a date.
Duration retry_after(const Headers& headers);
/// An answer from 500 on says with `flotilla-retry: no` that another try does not help, since whoever failed lies
/// behind its sender, who has tried all it could. So tries do not multiply along a chain of calls.
bool says_no_retry(const Headers& headers);

/// The fields of such an answer: Content-Type, Retry-After, Flotilla-Retry, Allow.
void add_problem_headers(Headers& headers, const Error& error, std::string_view allow = {});

/// The error a response with status 400 or above stands for: kind from the status; code, message, bad fields and
/// Retry-After as far as the response has them. Bodies that are no problem document are taken as they come.
Error error_from_problem(const Response& response);

} // namespace flotilla::http
