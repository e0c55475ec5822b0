#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/core/json_reference.hpp"

namespace flotilla::gateway {

/// A piece of a text with placeholders: literal text, and what comes behind it.
struct Placeholder {
    std::string literal;
    int segment = -1;  ///< of the matched path, from 0; -1: none
    bool rest = false; ///< this segment and all that follow
    std::optional<JsonReference> reference = {};

    bool has_value() const { return segment >= 0 || reference; }
};

/// "{id}" is a parameter of the pattern, "{user.email}" and "{body}" a place in one of `sources`.
/// Errors: invalid for a name that there is not (with the nearest), and braces that do not match.
Result<std::vector<Placeholder>> parse_placeholders(std::string_view text, std::string_view pattern,
                                                    std::span<const std::string> sources);

/// What of a path that matches stands in a parameter's place, in its escaped form.
std::string_view segment_of(std::string_view path, const Placeholder& placeholder);

} // namespace flotilla::gateway
