#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/http/message.hpp>
#include <flotilla/http/router.hpp>

namespace flotilla {

/// True when the endpoint's request travels as a JSON body (POST, PUT, PATCH, not streamed); otherwise it is the query.
bool has_body(const EndpointInfo& endpoint);

/// The field of a request that is nothing but a list: as a body it may also be sent as the bare list. nullptr for
/// others.
const FieldDescriptor* only_list(const TypeDescriptor& request);

/// False when the response type has no fields.
bool has_content(const EndpointInfo& endpoint);

/// The status of a successful answer: as declared, but 204 for a 200 without content.
int success_status(const EndpointInfo& endpoint);

/// Fills a fresh request object by name: path parameters first, then the query or the JSON body.
/// Errors: invalid `invalid_request` listing every bad field; invalid `invalid_json`; unsupported for another media
/// type.
Result<void> bind_request(const EndpointInfo& endpoint, const http::PathParameters& parameters,
                          const http::RequestHead& head, std::string_view body, void* request);

/// The reverse, for callers: target (path and query) and, where the endpoint has one, JSON body.
/// Errors: a field of the path that is empty or absent names nothing, and would lead to another route: the error of
/// kind not_found that the endpoint declares; invalid `invalid_request` where it declares none.
Result<http::Request> make_request(const EndpointInfo& endpoint, const void* request);

} // namespace flotilla
