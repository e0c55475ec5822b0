#include <flotilla/discovery/registry_url.hpp>

#include <algorithm>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla {
namespace {

std::string_view cut_at(std::string_view& text, char mark) {
    const auto at = text.find(mark);
    const auto before = text.substr(0, at);
    text = at == text.npos ? std::string_view() : text.substr(at + 1);
    return before;
}

bool begins_with_scheme(std::string_view text) {
    const auto colon = text.find(':');
    return text.starts_with("static:") || (colon != text.npos && text.substr(colon).starts_with("://"));
}

Result<Address> parse_server(std::string_view text, std::uint16_t default_port) {
    const bool has_port = text.rfind(':') != text.npos && !text.ends_with(']');
    if (has_port || default_port == 0) return Address::parse(text);
    return Address::parse(std::string(text) + ":" + std::to_string(default_port));
}

} // namespace

std::vector<std::string_view> split_registry_urls(std::string_view text) {
    std::vector<std::string_view> urls;
    std::size_t begin = 0;
    for (auto comma = text.find(','); comma != text.npos; comma = text.find(',', comma + 1)) {
        if (!begins_with_scheme(text.substr(comma + 1))) continue;
        urls.push_back(text.substr(begin, comma - begin));
        begin = comma + 1;
    }
    urls.push_back(text.substr(begin));
    return urls;
}

Error RegistryUrl::refused(std::string_view why) const {
    return {Kind::invalid, "registry URL \"" + text + "\": " + std::string(why)};
}

Result<RegistryUrl> RegistryUrl::parse(std::string_view text, std::uint16_t default_port) {
    RegistryUrl url{.text = std::string(text)};
    const auto colon = text.find("://");
    if (colon == text.npos || colon == 0) return url.refused("expected SCHEME://HOST:PORT");
    url.scheme = text.substr(0, colon);
    auto query = text.substr(colon + 3);
    auto path = cut_at(query, '?');
    auto authority = cut_at(path, '/');
    if (path.ends_with('/')) path.remove_suffix(1);
    url.path = path;
    while (!authority.empty()) {
        auto server = parse_server(cut_at(authority, ','), default_port);
        if (!server) return std::move(server.error()).with_context("registry URL " + url.text);
        url.servers.push_back(std::move(*server));
    }
    auto parameters = http::parse_query(query);
    if (!parameters) return url.refused("its query has an invalid escape");
    for (auto& [key, value] : *parameters) {
        if (!url.parameters.emplace(key, std::move(value)).second) return url.refused("it has " + key + " twice");
    }
    return url;
}

Result<void> RegistryUrl::check(const Form& form) const {
    const auto expected = "expected " + std::string(form.example) + ", found ";
    if (form.servers && servers.empty()) return refused(expected + "no server");
    if (!form.several && servers.size() > 1) return refused(expected + "several servers");
    if (!form.path && !path.empty()) return refused(expected + "the path /" + path);
    const std::vector<std::string> known(form.parameters.begin(), form.parameters.end());
    for (const auto& [key, value] : parameters) {
        if (std::ranges::find(known, key) == known.end())
            return refused(expected + "the parameter " + key + did_you_mean(key, known));
    }
    return {};
}

std::string RegistryUrl::parameter(std::string_view key) const {
    const auto found = parameters.find(key);
    return found == parameters.end() ? std::string() : found->second;
}

} // namespace flotilla
