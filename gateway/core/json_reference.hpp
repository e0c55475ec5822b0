#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla::gateway {

/// JSON texts by source, each valid or empty (there is none).
using Documents = std::span<const std::string_view>;
/// The source that is the client's own body; a step's answer is the one behind that of the step before it.
inline constexpr std::size_t kClientBody = 0;
inline constexpr std::string_view kClientBodyName = "body";

/// A place in a document that is known by the name of its source: "user.email", "body.items", "body". Immutable.
class JsonReference {
public:
    /// `sources`: their names, in the order of the documents. A last '?' says that the place may be absent. Errors:
    /// invalid for a name that is none of them (with the nearest), or an empty one.
    static Result<JsonReference> parse(std::string_view text, std::span<const std::string> sources);

    std::size_t source() const { return source_; }
    /// Whether it may be absent.
    bool optional() const { return optional_; }

    /// The value's text as it stands there. Errors: that it is absent: of the client's body its mistake
    /// (invalid_request, naming the field), of a step's answer the service's (bad_gateway).
    Result<std::string_view> find(Documents documents) const;
    /// The value of a string, number or boolean for where text is wanted. Errors: as find(), also for other values.
    Result<std::string> text(Documents documents) const;

    /// What is wrong with the value: an error as find() has it.
    Error wrong(std::string what) const;

private:
    std::size_t source_ = 0;
    std::string name_; ///< of the source
    std::vector<std::string> members_;
    bool optional_ = false;
};

/// The value of an object's member (the first of that name), as it stands in the text; nothing when there is none, or
/// the text is no object. Requires: the text is valid JSON.
std::optional<std::string_view> member_of(std::string_view json, std::string_view name);

} // namespace flotilla::gateway
