#include "gateway/core/path_template.hpp"

#include <algorithm>

#include <flotilla/http/message.hpp>

#include "gateway/core/path.hpp"

namespace flotilla::gateway {
namespace {

Error invalid(std::string message) { return Error(Kind::invalid, "invalid_template", std::move(message)); }

bool is_literal(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte >= 0x7f || std::string_view("\"#<>\\^`{|}").find(c) != std::string_view::npos;
    });
}

/// Whether a path with these segments is read by everybody as what it is.
bool is_normal(std::string_view path) {
    std::string buffer;
    const auto normal = normalise_path(path, buffer);
    return normal && *normal == path;
}

} // namespace

Result<PathTemplate> PathTemplate::compile(std::string_view text, std::string_view pattern,
                                           std::span<const std::string> sources) {
    auto placeholders = parse_placeholders(text, pattern, sources);
    if (!placeholders) return std::move(placeholders.error());
    PathTemplate compiled;
    for (auto& each : *placeholders) {
        Part part{std::move(each)};
        if (!is_literal(part.literal)) return invalid("'" + part.literal + "' has characters that must be escaped");
        compiled.has_query_ = compiled.has_query_ || part.literal.find('?') != std::string::npos;
        part.in_query = compiled.has_query_;
        if (part.reference) {
            if (part.reference->optional())
                return invalid("what a path is made of cannot be absent: take the '?' away");
            compiled.uses_.push_back(part.reference->source());
        }
        compiled.parts_.push_back(std::move(part));
    }
    if (auto checked = compiled.check_form(text); !checked) return std::move(checked.error());
    return compiled;
}

/// Values are segments of a normalised path, so what they are put into must have that form, too.
Result<void> PathTemplate::check_form(std::string_view text) const {
    std::string path;
    for (const auto& part : parts_) {
        path += part.literal;
        if (part.has_value()) path += 'x';
    }
    path.resize(std::min(path.find('?'), path.size()));
    std::string buffer;
    const auto normal = normalise_path(path, buffer);
    if (!normal) return invalid("in '" + std::string(text) + "' " + normal.error().message());
    if (*normal == path) return {};
    return invalid("'" + std::string(text) + "' has a path that others read as '" + std::string(*normal) +
                   "' (x for the parameters); write that");
}

Result<void> PathTemplate::expand_to(std::string& out, std::string_view path, Documents documents) const {
    const auto begin = out.size();
    for (const auto& part : parts_) {
        out += part.literal;
        if (!part.has_value()) continue;
        if (auto done = put_in(out, part, path, documents); !done) return done;
        if (!part.reference || part.in_query) continue;
        if (!is_normal(std::string_view(out).substr(begin))) return part.reference->wrong("cannot be a part of a path");
    }
    return {};
}

Result<void> PathTemplate::put_in(std::string& out, const Part& part, std::string_view path,
                                  Documents documents) const {
    if (part.reference) {
        const auto value = part.reference->text(documents);
        if (!value) return value.error();
        if (value->empty() && !part.in_query) return part.reference->wrong("must not be empty");
        out += http::percent_encode(*value);
        return {};
    }
    const auto value = segment_of(path, part);
    if (!part.in_query) {
        out += value;
        return {};
    }
    const auto decoded = http::percent_decode(value);
    if (!decoded) return invalid("a value of the path cannot be decoded");
    out += http::percent_encode(*decoded);
    return {};
}

} // namespace flotilla::gateway
