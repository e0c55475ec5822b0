#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// A declared error of a service: constant data, listed by the endpoints that may answer it, hence in OpenAPI.
/// The message may hold one `{}` that with() fills: `ErrorCode product_not_found{"product_not_found", Kind::invalid,
/// "Product {} not found"}`.
struct ErrorCode {
    std::string_view code;    ///< stable, snake_case, unique within the service
    Kind kind;                ///< gives the HTTP and gRPC status
    std::string_view message; ///< for people

    operator Error() const { return Error(kind, std::string(code), std::string(message)); }
    /// The error with `{}` in its message replaced.
    Error with(std::string_view argument) const {
        std::string text(message);
        if (auto at = text.find("{}"); at != std::string::npos) text.replace(at, 2, argument);
        return Error(kind, std::string(code), std::move(text));
    }
    constexpr bool operator==(const ErrorCode&) const = default;
};

} // namespace flotilla
