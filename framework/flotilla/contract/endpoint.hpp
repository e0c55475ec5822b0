#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/duration.hpp>
#include <flotilla/contract/error_code.hpp>

namespace flotilla {

enum class Method : unsigned char { get, head, post, put, patch, delete_, options, other };

/// "GET", "DELETE", ...; "" for other.
std::string_view name(Method method);
/// Exact, case-sensitive (RFC 9110 §9.1); `other` for anything else.
Method parse_method(std::string_view text);
/// GET, HEAD, PUT, DELETE, OPTIONS: sending twice has the effect of sending once.
constexpr bool is_idempotent(Method method) {
    return method != Method::post && method != Method::patch && method != Method::other;
}

/// GET, HEAD: asks for a representation of a resource, and changes nothing.
constexpr bool is_read(Method method) { return method == Method::get || method == Method::head; }

/// A service, by the name under which its instances register.
struct Service {
    std::string_view name;
    constexpr bool operator==(const Service&) const = default;
};

/// A request or response without content.
struct Empty {};

/// A fixed list of error codes, at most 12.
class ErrorList {
public:
    constexpr ErrorList() = default;
    constexpr ErrorList(std::initializer_list<ErrorCode> codes) {
        for (const auto& code : codes)
            codes_.at(size_++) = code;
    }
    constexpr const ErrorCode* begin() const { return codes_.data(); }
    constexpr const ErrorCode* end() const { return codes_.data() + size_; }

private:
    std::array<ErrorCode, 12> codes_{};
    std::size_t size_ = 0;
};

struct EndpointOptions {
    int success = 200; ///< status of a successful answer
    /// Accepts Idempotency-Key; callers make one and may then retry a POST or PATCH. Its method answers with
    /// Recorded<Response>, from Database::answer().
    bool idempotent = false;
    /// The answer is a single resource that has a version: GET shows it as `ETag` and answers a matching If-None-Match
    /// with 304; an endpoint that changes the resource takes If-Match, and answers 412 when that does not name the
    /// version there is. Its method answers with Versioned<Response>, one that changes the resource with
    /// Changed<Response>, which only a transaction that looked at the expected version makes.
    bool versioned = false;
    /// A change without If-Match is refused: 428. Only where a versioned resource is changed; a compile error
    /// elsewhere.
    bool if_match_required = false;
    ErrorList errors = {}; ///< codes it may answer besides validation errors
    std::string_view summary = {};
    std::uint64_t body_bytes_max = 0; ///< of a request; 0: the service's default (HostOptions)
    Duration timeout = {};            ///< of a request that brings no shorter one; 0: the server's default, 30 s
};

/// The type-erased face of an endpoint: what routing, documents and gateways need.
struct EndpointInfo {
    Service service; ///< whose it is: callers need not say it again
    Method method;
    std::string_view path;
    EndpointOptions options;
    const TypeDescriptor* request;
    const TypeDescriptor* response;
    bool streamed = false; ///< the request's body is bytes of any content type, not JSON: see StreamedEndpoint
};

/// Whether it changes a versioned resource that is there, and so takes If-Match: what reads one, or makes a new one
/// (POST with 201), has nothing to expect.
constexpr bool changes_versioned(Method method, const EndpointOptions& options) {
    const bool makes = method == Method::post && options.success == 201;
    return options.versioned && !is_read(method) && !makes;
}

namespace detail {
/// Calls visit(name) for each {name} in path; throws (a compile error in constant evaluation) on malformed paths.
template <class Visit>
constexpr void for_each_path_parameter(std::string_view path, Visit visit) {
    if (path.empty() || path.front() != '/') throw "an endpoint's path starts with '/'";
    std::size_t at = 0;
    while ((at = path.find('{', at)) != std::string_view::npos) {
        const auto end = path.find('}', at);
        if (end == std::string_view::npos || end == at + 1) throw "unclosed or empty {} in an endpoint's path";
        visit(path.substr(at + 1, end - at - 1));
        at = end;
    }
}

/// Throws (a compile error) when a parameter of the path is not a field of the request.
template <class Request>
constexpr void check_path(std::string_view path) {
    for_each_path_parameter(path, [](std::string_view parameter) {
        bool found = false;
        for (const auto& field : descriptor_of<Request>.fields)
            found = found || field.json_name == parameter;
        if (!found) throw "a path parameter is not a field of the request";
    });
}
} // namespace detail

/// One operation of a service: constant data that server, callers, OpenAPI and gateway share.
/// Requests bind by JSON name: path parameters first, then the query (GET, HEAD, DELETE) or the JSON body.
/// A path parameter that is not a field of Request is a compile error.
/// `inline constexpr Endpoint<OrderId, Order> get{service, Method::get, "/orders/{id}"};`
template <class Request, class Response>
struct Endpoint : EndpointInfo {
    using request_type = Request;
    using response_type = Response;

    consteval Endpoint(Service service, Method method, std::string_view path, EndpointOptions options = {})
        : EndpointInfo{service, method, path, options, &descriptor_of<Request>, &descriptor_of<Response>, false} {
        detail::check_path<Request>(path);
        if (options.if_match_required && !changes_versioned(method, options))
            throw "If-Match is required only where a versioned resource is changed";
    }
};

/// An operation whose request body is a stream of bytes of any content type (an upload), read piece by piece by its
/// handler, never whole in memory. Request binds from path and query. Endpoints that take more than the service's
/// default declare `body_bytes_max`, and a `timeout` that such a body can meet. The method has a body (POST, PUT,
/// PATCH), and there is no Idempotency-Key, as nobody keeps the body to compare, and no version; anything else is a
/// compile error.
/// `inline constexpr StreamedEndpoint<PhotoId, Photo> put_photo{service, Method::put, "/photos/{id}",
///     {.body_bytes_max = 100 << 20, .timeout = std::chrono::minutes(10)}};`
template <class Request, class Response>
struct StreamedEndpoint : EndpointInfo {
    using request_type = Request;
    using response_type = Response;

    consteval StreamedEndpoint(Service service, Method method, std::string_view path, EndpointOptions options = {})
        : EndpointInfo{service, method, path, options, &descriptor_of<Request>, &descriptor_of<Response>, true} {
        detail::check_path<Request>(path);
        if (method != Method::post && method != Method::put && method != Method::patch)
            throw "a streamed endpoint's method is POST, PUT or PATCH";
        if (options.idempotent) throw "a streamed endpoint takes no Idempotency-Key";
        if (options.versioned || options.if_match_required) throw "a streamed endpoint's answer has no version";
    }
};

} // namespace flotilla
