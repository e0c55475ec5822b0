#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "gateway/core/placeholders.hpp"

namespace flotilla::gateway {

/// A JSON body with placeholders in its texts: {"userId": "{user.id}", "items": "{body.items}"}. A text that is nothing
/// but a placeholder of a document becomes the value that stands there, as it stands there; in others texts, numbers
/// and booleans are put in. A member, or element, whose value may be absent ("{body.note?}") and is, is left out.
/// Immutable, thread-safe.
class BodyTemplate {
public:
    /// Errors: invalid, as PathTemplate's.
    static Result<BodyTemplate> compile(const boost::json::value& body, std::string_view pattern,
                                        std::span<const std::string> sources);
    BodyTemplate(BodyTemplate&&) noexcept;
    BodyTemplate& operator=(BodyTemplate&&) noexcept;
    ~BodyTemplate();

    /// The body. Requires and errors: as PathTemplate::expand_to().
    Result<std::string> expand(std::string_view path, Documents documents) const;
    /// The sources it refers to, each place once.
    const std::vector<std::size_t>& uses() const { return uses_; }

private:
    struct Node;
    explicit BodyTemplate(std::unique_ptr<Node> root);

    std::unique_ptr<Node> root_;
    std::vector<std::size_t> uses_;
};

} // namespace flotilla::gateway
