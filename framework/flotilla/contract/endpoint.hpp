#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>

#include <flotilla/base/descriptor.hpp>
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
    int success = 200;       ///< status of a successful answer
    bool idempotent = false; ///< accepts Idempotency-Key; clients generate one and may then retry a POST or PATCH
    ErrorList errors = {};   ///< codes it may answer besides validation errors
    std::string_view summary = {};
};

/// The type-erased face of an endpoint: what routing, documents and gateways need.
struct EndpointInfo {
    Method method;
    std::string_view path;
    EndpointOptions options;
    const TypeDescriptor* request;
    const TypeDescriptor* response;
};

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
} // namespace detail

/// One operation of a service: constant data that server, client, OpenAPI and gateway share.
/// Requests bind by JSON name: path parameters first, then the query (GET, HEAD, DELETE) or the JSON body.
/// A path parameter that is not a field of Request is a compile error.
/// `inline constexpr Endpoint<OrderId, Order> get{Method::get, "/orders/{id}"};`
template <class Request, class Response>
struct Endpoint : EndpointInfo {
    using request_type = Request;
    using response_type = Response;

    consteval Endpoint(Method method, std::string_view path, EndpointOptions options = {})
        : EndpointInfo{method, path, options, &descriptor_of<Request>, &descriptor_of<Response>} {
        detail::for_each_path_parameter(path, [](std::string_view parameter) {
            bool found = false;
            for (const auto& field : descriptor_of<Request>.fields)
                found = found || field.json_name == parameter;
            if (!found) throw "a path parameter is not a field of the request";
        });
    }
};

} // namespace flotilla
