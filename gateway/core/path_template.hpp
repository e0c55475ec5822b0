#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla::gateway {

/// A path, and perhaps a query, with placeholders that the segments of a matched path fill:
/// "/orders?userId={id}" for a match of "/api/users/{id}/dashboard". Placeholders in the path take the segment in its
/// escaped form; placeholders in the query are escaped anew, so that no value can add a parameter.
/// Immutable, thread-safe.
class PathTemplate {
public:
    /// Errors: invalid for a placeholder that `pattern` does not have (with the nearest), braces that do not match,
    /// characters that must be escaped, or a path that is not in its one form (normalise_path).
    static Result<PathTemplate> compile(std::string_view text, std::string_view pattern);

    /// Appends the expansion. Requires: `path` is normalised and matches the pattern.
    /// Errors: invalid when a value cannot be escaped (never for a normalised path).
    Result<void> expand_to(std::string& out, std::string_view path) const;
    bool has_query() const { return has_query_; }

private:
    struct Part {
        std::string literal; ///< comes before the value
        int segment = -1;    ///< of the path, from 0; -1: literal only
        bool rest = false;   ///< this segment and all that follow
        bool in_query = false;
    };
    Result<void> check_form(std::string_view text) const;

    std::vector<Part> parts_;
    bool has_query_ = false;
};

} // namespace flotilla::gateway
