#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/core/placeholders.hpp"

namespace flotilla::gateway {

/// A path, and perhaps a query, with placeholders that the segments of a matched path fill:
/// "/orders?userId={id}" for a match of "/api/users/{id}/dashboard"; in a composition also values of earlier answers
/// and of the client's body: "/orders?userId={user.id}". In the path segments stay in their escaped form and values are
/// escaped, so that no value makes another path of it; in the query both are escaped anew, so that none can add a
/// parameter. Immutable, thread-safe.
class PathTemplate {
public:
    /// Errors: invalid for a placeholder that neither `pattern` nor `sources` has (with the nearest), braces that do
    /// not match, characters that must be escaped, or a path that is not in its one form (normalise_path).
    static Result<PathTemplate> compile(std::string_view text, std::string_view pattern,
                                        std::span<const std::string> sources = {});

    /// Appends the expansion. Requires: `path` is normalised and matches the pattern; `documents` has what the sources
    /// are. Errors: of a value that is absent, no text, or cannot be a part of a path, whose it is (JsonReference);
    /// invalid when a segment cannot be escaped (never for a normalised path).
    Result<void> expand_to(std::string& out, std::string_view path, Documents documents = {}) const;
    bool has_query() const { return has_query_; }
    /// The sources it refers to, each place once.
    const std::vector<std::size_t>& uses() const { return uses_; }

private:
    struct Part : Placeholder {
        bool in_query = false;
    };
    Result<void> check_form(std::string_view text) const;
    Result<void> put_in(std::string& out, const Part& part, std::string_view path, Documents documents) const;

    std::vector<Part> parts_;
    std::vector<std::size_t> uses_;
    bool has_query_ = false;
};

} // namespace flotilla::gateway
