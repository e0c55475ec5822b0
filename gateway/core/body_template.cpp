#include "gateway/core/body_template.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <flotilla/base/json.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::gateway {

/// One value of the template.
struct BodyTemplate::Node {
    enum class Shape : unsigned char { literal, text, object, array };
    Shape shape = Shape::literal;
    std::string json;              ///< of a literal
    std::string name;              ///< of an object's member: quoted
    std::vector<Placeholder> text; ///< of a text with placeholders
    std::vector<Node> children;

    static Result<Node> compile(const boost::json::value& value, std::string_view pattern,
                                std::span<const std::string> sources, std::vector<std::size_t>& uses);
    Result<void> add_child(Result<Node> child, std::string quoted_name);
    /// Whether it is there.
    Result<bool> append(std::string& out, std::string_view path, Documents documents) const;
    Result<bool> append_text(std::string& out, std::string_view path, Documents documents) const;
    Result<bool> append_children(std::string& out, std::string_view path, Documents documents) const;
    const JsonReference* only_reference() const;
};

namespace {

std::string quoted(std::string_view text) {
    std::string json;
    json::quote(json, text);
    return json;
}

} // namespace

Result<void> BodyTemplate::Node::add_child(Result<Node> child, std::string quoted_name) {
    if (!child) return std::move(child.error());
    child->name = std::move(quoted_name);
    children.push_back(std::move(*child));
    return {};
}

Result<BodyTemplate::Node> BodyTemplate::Node::compile(const boost::json::value& value, std::string_view pattern,
                                                       std::span<const std::string> sources,
                                                       std::vector<std::size_t>& uses) {
    Node node;
    if (const auto* object = value.if_object()) {
        node.shape = Shape::object;
        for (const auto& [name, member] : *object) {
            auto added = node.add_child(compile(member, pattern, sources, uses), quoted(name));
            if (!added) return std::move(added.error());
        }
    } else if (const auto* array = value.if_array()) {
        node.shape = Shape::array;
        for (const auto& element : *array) {
            auto added = node.add_child(compile(element, pattern, sources, uses), {});
            if (!added) return std::move(added.error());
        }
    } else if (const auto* string = value.if_string(); string && string->find('{') != boost::json::string::npos) {
        node.shape = Shape::text;
        auto text = parse_placeholders(*string, pattern, sources);
        if (!text) return std::move(text.error());
        node.text = std::move(*text);
        for (const auto& part : node.text) {
            if (!part.reference) continue;
            uses.push_back(part.reference->source());
            if (part.reference->optional() && !node.only_reference())
                return Error(Kind::invalid, "invalid_template", "only a whole value may be absent: take the '?' away");
        }
    } else {
        node.json = boost::json::serialize(value);
    }
    return node;
}

const JsonReference* BodyTemplate::Node::only_reference() const {
    const bool only = text.size() == 1 && text.front().literal.empty() && text.front().reference;
    return only ? &*text.front().reference : nullptr;
}

Result<bool> BodyTemplate::Node::append(std::string& out, std::string_view path, Documents documents) const {
    switch (shape) {
    case Shape::literal:
        out += json;
        return true;
    case Shape::text:
        return append_text(out, path, documents);
    default:
        return append_children(out, path, documents);
    }
}

Result<bool> BodyTemplate::Node::append_text(std::string& out, std::string_view path, Documents documents) const {
    if (const auto* reference = only_reference()) {
        const auto value = reference->find(documents);
        if (!value && reference->optional()) return false;
        if (!value) return value.error();
        out += *value;
        return true;
    }
    std::string filled;
    for (const auto& part : text) {
        filled += part.literal;
        if (part.reference) {
            const auto value = part.reference->text(documents);
            if (!value) return value.error();
            filled += *value;
        } else if (part.segment >= 0) {
            filled += http::percent_decode(segment_of(path, part)).value_or("");
        }
    }
    json::quote(out, filled);
    return true;
}

Result<bool> BodyTemplate::Node::append_children(std::string& out, std::string_view path, Documents documents) const {
    const bool object = shape == Shape::object;
    out += object ? '{' : '[';
    const auto begin = out.size();
    for (const auto& child : children) {
        const auto before = out.size();
        if (before > begin) out += ',';
        if (object) out.append(child.name).append(":");
        auto there = child.append(out, path, documents);
        if (!there) return there;
        if (!*there) out.resize(before);
    }
    out += object ? '}' : ']';
    return true;
}

BodyTemplate::BodyTemplate(std::unique_ptr<Node> root) : root_(std::move(root)) {}
BodyTemplate::BodyTemplate(BodyTemplate&&) noexcept = default;
BodyTemplate& BodyTemplate::operator=(BodyTemplate&&) noexcept = default;
BodyTemplate::~BodyTemplate() = default;

Result<BodyTemplate> BodyTemplate::compile(const boost::json::value& body, std::string_view pattern,
                                           std::span<const std::string> sources) {
    std::vector<std::size_t> uses;
    auto root = Node::compile(body, pattern, sources, uses);
    if (!root) return std::move(root.error());
    BodyTemplate compiled(std::make_unique<Node>(std::move(*root)));
    compiled.uses_ = std::move(uses);
    return compiled;
}

Result<std::string> BodyTemplate::expand(std::string_view path, Documents documents) const {
    std::string json;
    auto there = root_->append(json, path, documents);
    if (!there) return std::move(there.error());
    return json;
}

} // namespace flotilla::gateway
