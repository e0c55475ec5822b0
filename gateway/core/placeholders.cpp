#include "gateway/core/placeholders.hpp"

#include <algorithm>

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

Error invalid(std::string message) { return Error(Kind::invalid, "invalid_template", std::move(message)); }

/// Fills in what a name between braces stands for.
Result<void> resolve(std::string_view name, std::string_view pattern, std::span<const std::string> sources,
                     Placeholder& into) {
    const auto whole = name;
    if (name.ends_with("...")) name.remove_suffix(3);
    const auto parameters = parameters_of(pattern);
    const auto parameter = std::ranges::find(parameters, name, &Parameter::name);
    if (parameter != parameters.end()) {
        into.segment = parameter->segment;
        into.rest = parameter->rest;
        return {};
    }
    const bool is_source = std::ranges::find(sources, name.substr(0, name.find_first_of(".?"))) != sources.end();
    if (is_source || name.find('.') != std::string_view::npos) {
        auto reference = JsonReference::parse(whole, sources);
        if (!reference) return std::move(reference.error());
        into.reference = std::move(*reference);
        return {};
    }
    std::vector<std::string_view> names;
    for (const auto& each : parameters)
        names.push_back(each.name);
    return invalid("'{" + std::string(name) + "}' is not a parameter of the path '" + std::string(pattern) + "'" +
                   (names.empty() ? ", which has none" : suggestion(name, names)));
}

} // namespace

Result<std::vector<Placeholder>> parse_placeholders(std::string_view text, std::string_view pattern,
                                                    std::span<const std::string> sources) {
    std::vector<Placeholder> parts;
    for (std::size_t at = 0; at < text.size();) {
        const auto open = std::min(text.find('{', at), text.size());
        auto& part = parts.emplace_back(Placeholder{.literal = std::string(text.substr(at, open - at))});
        at = open;
        if (open == text.size()) break;
        const auto close = text.find('}', open);
        if (close == std::string_view::npos) return invalid("a '{' is not closed in '" + std::string(text) + "'");
        if (auto done = resolve(text.substr(open + 1, close - open - 1), pattern, sources, part); !done)
            return std::move(done.error());
        at = close + 1;
    }
    return parts;
}

std::string_view segment_of(std::string_view path, const Placeholder& placeholder) {
    std::size_t at = 0;
    for (int i = 0; i < placeholder.segment && at != std::string_view::npos; ++i)
        at = path.find('/', at + 1);
    if (at >= path.size()) return {};
    return path.substr(at + 1, placeholder.rest ? std::string_view::npos : path.find('/', at + 1) - at - 1);
}

} // namespace flotilla::gateway
