#include <flotilla/discovery/service_name.hpp>

#include <algorithm>
#include <charconv>
#include <vector>

namespace flotilla {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::size_t kHostSizeMax = 253; ///< RFC 1035 §2.3.4, as text
constexpr std::size_t kLabelSizeMax = 63;

Error malformed(std::string_view text, std::string_view rule) {
    return {Kind::invalid, "a service name " + std::string(rule) + ", found '" + std::string(text) + "'"};
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::vector<std::string_view> labels_of(std::string_view host) {
    std::vector<std::string_view> labels;
    for (std::size_t at = 0; at <= host.size();) {
        const auto dot = std::min(host.find('.', at), host.size());
        labels.push_back(host.substr(at, dot - at));
        at = dot + 1;
    }
    return labels;
}

bool is_label(std::string_view label) { return !label.empty() && label.size() <= kLabelSizeMax; }

} // namespace

std::string ServiceName::text() const { return port == 0 ? host : host + ":" + std::to_string(port); }

Result<ServiceName> ServiceName::parse(std::string_view text) {
    auto rest = text;
    if (rest.starts_with(kScheme)) {
        rest.remove_prefix(kScheme.size());
        if (rest.ends_with('/')) rest.remove_suffix(1);
    } else if (rest.find("://") != rest.npos) {
        return malformed(text, "may have the scheme http, no other");
    }
    if (rest.find('/') != rest.npos) return malformed(text, "has no path");
    ServiceName name;
    if (const auto colon = rest.find(':'); colon != rest.npos) {
        const auto digits = rest.substr(colon + 1);
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), name.port);
        if (failed != std::errc() || end != digits.data() + digits.size() || name.port == 0)
            return malformed(text, "may have a port from 1 to 65535");
        rest = rest.substr(0, colon);
    }
    if (rest.ends_with('.')) rest.remove_suffix(1); // a name that is complete, as DNS writes it
    const auto labels = labels_of(rest);
    if (!std::ranges::all_of(rest, [](char c) { return c == '.' || is_name_character(c); }))
        return malformed(text, "has letters, digits, '-', '_' and '.'");
    if (rest.size() > kHostSizeMax || !std::ranges::all_of(labels, is_label))
        return malformed(text, "has 1 to 63 characters between its dots, 253 in all");
    const bool kubernetes = labels.size() >= 3 && labels[2] == "svc";
    name.host = rest;
    name.service = kubernetes ? labels[0] : rest;
    if (kubernetes) name.name_space = labels[1];
    return name;
}

} // namespace flotilla
