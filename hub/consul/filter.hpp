#pragma once

#include <memory>
#include <span>
#include <string_view>

#include <boost/json.hpp>

#include <flotilla/base/result.hpp>

namespace flotilla::hub::consul {

/// What a selector may name in the rows of an endpoint, and so which operators and values fit.
struct FilterField {
    enum class Kind : unsigned char {
        text,    ///< == != in "not in" matches "not matches"
        number,  ///< == !=
        flag,    ///< == !=
        texts,   ///< a list of strings: in "not in" "is empty" "is not empty"
        map,     ///< by name, its values as `members` say: in "not in" (of names) "is empty" "is not empty"
        object,  ///< no operator of its own, only members
        objects, ///< a list of objects: "is empty" "is not empty"; a comparison with a member holds when one object's
                 ///< does
    };
    std::string_view name; ///< as in the row; empty: whatever name a map has
    Kind kind = Kind::text;
    std::span<const FilterField> members = {};
};

/// A filter expression bound to the fields of an endpoint's rows, with go-bexpr's rules: a selector that names no
/// field, an operator that does not fit and a value that is no number where one is needed are errors, not "no match".
/// Immutable, any thread. Matching costs linear time in the row and the expression.
/// Source: https://developer.hashicorp.com/consul/api-docs/features/filtering
class Filter {
public:
    /// Errors: invalid, with Consul's text.
    static Result<Filter> parse(std::string_view expression, std::span<const FilterField> fields);

    Filter(Filter&&) noexcept;
    Filter& operator=(Filter&&) noexcept;
    ~Filter();

    /// A member that the row has not, or has as null, counts as "", 0, false or empty.
    bool matches(const boost::json::value& row) const;

private:
    struct Node;
    explicit Filter(std::unique_ptr<const Node> root);

    std::unique_ptr<const Node> root_;
};

} // namespace flotilla::hub::consul
