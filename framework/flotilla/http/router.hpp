#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/base/result.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// Decoded path parameters of a match, in path order.
using PathParameters = std::vector<std::pair<std::string_view, std::string>>;

/// Finds what a method and path lead to. Patterns: "/orders/{id}/items", a last "{rest...}" takes the remaining
/// segments (at least one). Literal segments win over parameters, parameters over rest. Matching is on whole,
/// percent-decoded segments; an encoded slash does not split a segment.
/// Built once, then read: match() is const and thread-safe. Values are the caller's indices.
class Router {
public:
    Router();
    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;
    ~Router();

    /// method nullopt: any method. Errors: invalid (malformed pattern), conflict (same method and shape twice; names
    /// both).
    Result<void> add(std::optional<Method> method, std::string_view pattern, std::size_t value);

    struct Match {
        std::size_t value = 0;
        std::string_view pattern; ///< as added; for metrics labels
        PathParameters parameters;
    };
    /// Errors: not_found; method_not_allowed (allowed() tells which would do); invalid (bad escape in the path).
    Result<Match> match(Method method, std::string_view path) const;
    /// The methods a path answers to, for `Allow`: "GET, HEAD, POST". Empty when the path is unknown.
    std::string allowed(std::string_view path) const;

private:
    struct Node;
    std::unique_ptr<Node> root_;
};

} // namespace flotilla::http
