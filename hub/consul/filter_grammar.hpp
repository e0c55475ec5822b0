#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla::hub::consul {

enum class MatchOperator : unsigned char { equal, not_equal, in, not_in, is_empty, is_not_empty, matches, not_matches };

/// As go-bexpr names them in its errors: "Equal", "Not In", ...
std::string_view name(MatchOperator op);

/// `Service.Meta["k"] == "v"`: one comparison of a filter.
struct FilterMatch {
    std::vector<std::string> selector; ///< at least one part
    MatchOperator op = MatchOperator::equal;
    std::string value; ///< empty for is_empty and is_not_empty
};

/// A parsed filter, not yet bound to the fields of anything.
struct FilterSyntax {
    enum class Kind : unsigned char { match, not_, all, any };

    Kind kind = Kind::match;
    FilterMatch match;                  ///< of a match
    std::vector<FilterSyntax> operands; ///< one of not_, at least two of all ("and") and any ("or")
};

/// Parses an expression of go-bexpr 0.1.2, the language of Consul's `?filter=`. Time and memory are linear in its
/// length: at most 8192 bytes, nested at most 64 deep. Errors: invalid, with go-bexpr's text. Pure; any thread. Source:
/// https://developer.hashicorp.com/consul/api-docs/features/filtering
Result<FilterSyntax> parse_filter_syntax(std::string_view expression);

} // namespace flotilla::hub::consul
