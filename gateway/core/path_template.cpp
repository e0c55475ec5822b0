#include "gateway/core/path_template.hpp"

#include <algorithm>

#include <flotilla/http/message.hpp>

#include "gateway/core/path.hpp"
#include "gateway/core/yaml_reader.hpp"

namespace flotilla::gateway {
namespace {

struct Parameter {
    std::string_view name;
    int segment;
    bool rest;
};

// The parameters of a router pattern and where they stand.
std::vector<Parameter> parameters_of(std::string_view pattern) {
    std::vector<Parameter> found;
    int segment = 0;
    for (std::size_t at = 0; at < pattern.size(); ++segment) {
        const auto end = std::min(pattern.find('/', at + 1), pattern.size());
        auto text = pattern.substr(at + 1, end - at - 1);
        at = end;
        if (!text.starts_with('{') || !text.ends_with('}')) continue;
        text = text.substr(1, text.size() - 2);
        const bool rest = text.ends_with("...");
        found.push_back({rest ? text.substr(0, text.size() - 3) : text, segment, rest});
    }
    return found;
}

std::string_view value_of(std::string_view path, int segment, bool rest) {
    std::size_t at = 0;
    for (int i = 0; i < segment && at != std::string_view::npos; ++i)
        at = path.find('/', at + 1);
    if (at >= path.size()) return {};
    return path.substr(at + 1, rest ? std::string_view::npos : path.find('/', at + 1) - at - 1);
}

Error invalid(std::string message) { return Error(Kind::invalid, "invalid_template", std::move(message)); }

bool is_literal(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte >= 0x7f || std::string_view("\"#<>\\^`{|}").find(c) != std::string_view::npos;
    });
}

} // namespace

Result<PathTemplate> PathTemplate::compile(std::string_view text, std::string_view pattern) {
    const auto parameters = parameters_of(pattern);
    std::vector<std::string_view> names;
    for (const auto& parameter : parameters)
        names.push_back(parameter.name);

    PathTemplate compiled;
    for (std::size_t at = 0; at < text.size();) {
        const auto open = std::min(text.find('{', at), text.size());
        Part part{.literal = std::string(text.substr(at, open - at))};
        if (!is_literal(part.literal)) return invalid("'" + part.literal + "' has characters that must be escaped");
        compiled.has_query_ = compiled.has_query_ || part.literal.find('?') != std::string::npos;
        part.in_query = compiled.has_query_;
        at = open;
        if (open < text.size()) {
            const auto close = text.find('}', open);
            if (close == std::string_view::npos) return invalid("a '{' is not closed in '" + std::string(text) + "'");
            auto name = text.substr(open + 1, close - open - 1);
            if (name.ends_with("...")) name.remove_suffix(3);
            const auto parameter = std::ranges::find(parameters, name, &Parameter::name);
            if (parameter == parameters.end()) {
                return invalid("'{" + std::string(name) + "}' is not a parameter of the path '" + std::string(pattern) +
                               "'" + (names.empty() ? ", which has none" : suggestion(name, names)));
            }
            part.segment = parameter->segment;
            part.rest = parameter->rest;
            at = close + 1;
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
        if (part.segment >= 0) path += 'x';
    }
    path.resize(std::min(path.find('?'), path.size()));
    std::string buffer;
    const auto normal = normalise_path(path, buffer);
    if (!normal) return invalid("in '" + std::string(text) + "' " + normal.error().message());
    if (*normal == path) return {};
    return invalid("'" + std::string(text) + "' has a path that others read as '" + std::string(*normal) +
                   "' (x for the parameters); write that");
}

Result<void> PathTemplate::expand_to(std::string& out, std::string_view path) const {
    for (const auto& part : parts_) {
        out += part.literal;
        if (part.segment < 0) continue;
        const auto value = value_of(path, part.segment, part.rest);
        if (!part.in_query) {
            out += value;
            continue;
        }
        const auto decoded = http::percent_decode(value);
        if (!decoded) return invalid("a value of the path cannot be decoded");
        out += http::percent_encode(*decoded);
    }
    return {};
}

} // namespace flotilla::gateway
