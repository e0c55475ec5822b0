#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/http/router.hpp>

#include "tests/fuzz/fuzz.hpp"

// Lines "METHOD /pattern" (ANY: any method) build a router, lines "? /path" ask it. Answers are compared with trying
// every pattern naively.

namespace flotilla::http {
namespace {

using fuzz::require;
using Segments = std::vector<std::string>;

constexpr std::size_t kLinesMax = 64;
constexpr Method kMethods[]{Method::get, Method::head, Method::post, Method::put, Method::delete_, Method::other};

struct Route {
    std::optional<Method> method;
    std::string pattern;
};

Segments split(std::string_view path) {
    Segments segments;
    while (!path.empty()) {
        path.remove_prefix(1);
        segments.emplace_back(path.substr(0, path.find('/')));
        path.remove_prefix(segments.back().size());
    }
    return segments;
}

/// The parameters when the pattern takes the path.
std::optional<Segments> parameters_of(const std::string& pattern, const Segments& path) {
    const auto parts = split(pattern);
    Segments values;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].ends_with("...}")) {
            if (i >= path.size() || (i + 1 == path.size() && path[i].empty())) return std::nullopt;
            std::string rest = path[i];
            for (std::size_t more = i + 1; more < path.size(); ++more)
                rest += "/" + path[more];
            values.push_back(rest);
            return values;
        }
        if (i >= path.size()) return std::nullopt;
        if (parts[i].starts_with('{')) {
            if (path[i].empty()) return std::nullopt;
            values.push_back(path[i]);
        } else if (parts[i] != path[i]) {
            return std::nullopt;
        }
    }
    return parts.size() == path.size() ? std::optional(values) : std::nullopt;
}

bool answers(const Route& route, Method method) {
    return !route.method || *route.method == method || (method == Method::head && *route.method == Method::get);
}

void ask(const Router& router, const std::vector<Route>& routes, std::string_view path) {
    const auto allowed = router.allowed(path);
    std::optional<Segments> segments;
    if (path.starts_with('/')) {
        segments = split(path);
        for (auto& segment : *segments) {
            auto decoded = percent_decode(segment);
            if (!decoded || *decoded == "." || *decoded == "..") {
                segments.reset();
                break;
            }
            segment = *decoded;
        }
    }
    for (const auto method : kMethods) {
        const auto match = router.match(method, path);
        if (!segments) {
            require(!match && match.error().kind() == Kind::invalid, "a malformed path was accepted");
            require(allowed.empty(), "a malformed path allows methods");
            continue;
        }
        const bool known = std::ranges::any_of(
            routes, [&](const Route& each) { return parameters_of(each.pattern, *segments).has_value(); });
        const bool served = std::ranges::any_of(routes, [&](const Route& each) {
            return answers(each, method) && parameters_of(each.pattern, *segments).has_value();
        });
        require(match.has_value() == served, "the router and the naive search disagree");
        require(known || (!match && match.error().kind() == Kind::not_found), "an unknown path is not 404");
        require(!known || served || match.error().kind() == Kind::method_not_allowed, "a known path is not 405");
        require(known || allowed.empty(), "an unknown path allows methods");
        if (!match) continue;
        require(match->value < routes.size() && routes[match->value].pattern == match->pattern,
                "the value is another route's");
        require(answers(routes[match->value], method), "the route does not answer the method");
        Segments values;
        for (const auto& parameter : match->parameters)
            values.push_back(parameter.second);
        require(parameters_of(routes[match->value].pattern, *segments) == values, "the parameters differ");
    }
}

void run(std::string_view text) {
    static const std::map<std::string_view, std::optional<Method>> methods{
        {"GET", Method::get}, {"HEAD", Method::head},      {"POST", Method::post},
        {"PUT", Method::put}, {"DELETE", Method::delete_}, {"ANY", std::nullopt}};
    Router router;
    std::vector<Route> routes;
    for (std::size_t lines = 0; lines < kLinesMax && !text.empty(); ++lines) {
        const auto line = fuzz::take_line(text);
        const auto space = line.find(' ');
        if (space == std::string_view::npos) continue;
        const auto what = line.substr(0, space), path = line.substr(space + 1);
        if (what == "?") {
            ask(router, routes, path);
        } else if (const auto method = methods.find(what); method != methods.end()) {
            if (router.add(method->second, path, routes.size())) routes.push_back({method->second, std::string(path)});
        }
    }
}

} // namespace
} // namespace flotilla::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    flotilla::http::run(flotilla::fuzz::text_of(data, size));
    return 0;
}
