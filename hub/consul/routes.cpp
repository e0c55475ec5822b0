#include <algorithm>
#include <array>
#include <charconv>

#include <simdjson.h>

#include "hub/consul/go_duration.hpp"
#include "hub/consul/indented.hpp"
#include "hub/consul/request.hpp"
#include "hub/consul/unserved.hpp"

namespace flotilla::hub::consul {
namespace {

// https://developer.hashicorp.com/consul/api-docs/features/blocking
constexpr Duration kWaitDefault = std::chrono::minutes(5);
constexpr Duration kWaitMax = std::chrono::minutes(10);

/// What every route takes: read below, or without a meaning where there is one server, which is always the leader,
/// knows no tokens and caches nothing.
constexpr std::array<std::string_view, 12> kCommonParameters{
    "dc", "index", "wait", "stale", "consistent", "leader", "max_stale", "cached", "token", "ns", "partition", "pretty",
};

/// The routes of the longest path that serves `path`.
std::vector<const Route*> find_routes(std::string_view path) {
    std::vector<const Route*> found;
    for (const auto routes :
         {agent_routes(), catalog_routes(), external_routes(), kv_routes(), session_routes(), transaction_routes()}) {
        for (const auto& route : routes) {
            const bool matches = route.path.ends_with('/') ? path.starts_with(route.path) : path == route.path;
            if (!matches || (!found.empty() && route.path.size() < found.front()->path.size())) continue;
            if (!found.empty() && route.path.size() > found.front()->path.size()) found.clear();
            found.push_back(&route);
        }
    }
    return found;
}

std::string allowed(const std::vector<const Route*>& routes) {
    std::string methods = "OPTIONS";
    for (const auto* route : routes) {
        for (const auto each : route->methods)
            methods += "," + std::string(name(each));
    }
    return methods;
}

/// Without empty, "." and ".." segments, as Go's server cleans a path before it looks for who serves it.
std::string cleaned(std::string_view path) {
    std::vector<std::string_view> segments;
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const auto segment = path.substr(at, end - at);
        at = end + 1;
        if (segment == ".." && !segments.empty()) segments.pop_back();
        if (!segment.empty() && segment != "." && segment != "..") segments.push_back(segment);
    }
    std::string result;
    for (const auto segment : segments)
        result.append(1, '/').append(segment);
    return path.ends_with('/') || result.empty() ? result + "/" : result;
}

ConsulReply redirect_to(const ConsulRequest& request, std::string_view path) {
    ConsulReply reply{.status = 307, .content_type = ""};
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        reply.location += http::percent_encode(path.substr(at, end - at));
        if (end < path.size()) reply.location += '/';
        at = end + 1;
    }
    char separator = '?';
    for (const auto& [name, value] : request.parameters) {
        reply.location += separator + http::percent_encode(name) + "=" + http::percent_encode(value);
        separator = '&';
    }
    if (request.method != Method::get) return reply;
    reply.content_type = "text/html; charset=utf-8";
    reply.body = "<a href=\"" + reply.location + "\">Temporary Redirect</a>.\n\n";
    return reply;
}

/// The answer to a path that no route serves.
ConsulReply not_served(const ConsulRequest& request, std::string_view path) {
    const auto below = std::string(path) + "/";
    const auto routes = find_routes(below);
    if (!routes.empty() && routes.front()->path == below) return redirect_to(request, below);
    if (const auto subject = unserved(path); !subject.empty()) {
        return reply_text(501, std::string(path) + " belongs to " + std::string(subject) +
                                   ", which this registry does not serve; ask a Consul for it");
    }
    return reply_text(404, "Invalid URL path: not a recognized HTTP API endpoint\n");
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

/// Consul passes over what it does not know; whoever sent it believes that it was heard.
std::optional<ConsulReply> refuse_unknown_parameters(const ConsulRequest& request) {
    const auto& own = request.route->parameters;
    for (const auto& [name, value] : request.parameters) {
        if (!is_utf8(name) || !is_utf8(value)) return reply_text(400, "Bad query: not valid UTF-8");
        if (std::ranges::find(kCommonParameters, name) != kCommonParameters.end()) continue;
        if (std::ranges::find(own, name) != own.end()) continue;
        std::string known;
        for (const auto each : own)
            known += (known.empty() ? "" : ", ") + std::string(each);
        return reply_text(400, "Invalid query parameter: \"" + name + "\" - " + std::string(request.route->path) +
                                   " takes " + (known.empty() ? "none of its own" : known));
    }
    return std::nullopt;
}

/// Fills index, wait and hash.
std::optional<ConsulReply> read_query_options(ConsulRequest& request) {
    request.index = 0;
    if (const auto text = request.parameter("index"); !text.empty()) {
        const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), request.index);
        if (failed != std::errc() || end != text.data() + text.size()) return reply_text(400, "Invalid index");
    }
    request.wait = kWaitDefault;
    if (const auto text = request.parameter("wait"); !text.empty()) {
        const auto wait = parse_go_duration(text);
        if (!wait || *wait < Duration::zero()) return reply_text(400, "Invalid wait time");
        if (*wait > Duration::zero()) request.wait = std::min(*wait, kWaitMax);
    }
    request.hash = request.parameter("hash");
    if (request.has("stale") && request.has("consistent")) {
        return reply_text(400, "Cannot specify ?stale with ?consistent, conflicting semantics.");
    }
    if (const auto text = request.parameter("max_stale"); !text.empty() && !parse_go_duration(text))
        return reply_text(400, "Invalid max_stale value \"" + std::string(text) + "\"");
    if (!request.parameter("ns").empty())
        return reply_text(400, "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature");
    if (!request.parameter("partition").empty())
        return reply_text(400, "Invalid query parameter: \"partition\" - Partitions are a Consul Enterprise feature");
    if (!request.parameter("sg").empty()) return reply_text(500, "sameness groups are not supported in consul CE");
    if (const auto datacenter = request.parameter("dc"); !datacenter.empty() && datacenter != kDatacenter)
        return reply_text(500, "No path to datacenter");
    return std::nullopt;
}

std::optional<ConsulReply> read_filter(ConsulRequest& request) {
    const auto expression = request.parameter("filter");
    if (expression.empty()) return std::nullopt;
    auto filter = Filter::parse(expression, request.route->filter_fields);
    // 500: what Consul answers.
    if (!filter) return reply_text(500, filter.error().message());
    request.filter = std::move(*filter);
    return std::nullopt;
}

} // namespace

std::string_view route_of(std::string_view path) {
    const auto routes = find_routes(path);
    return routes.empty() ? std::string_view() : routes.front()->path;
}

std::optional<ConsulReply> prepare(ConsulRequest& request, std::string_view path) {
    const auto decoded = http::percent_decode(path);
    if (!decoded || !is_utf8(*decoded)) return reply_text(400, "Bad path: not valid UTF-8");
    if (std::ranges::any_of(*decoded, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        return reply_text(400, "Bad path: control characters are refused");
    if (auto clean = cleaned(*decoded); clean != *decoded) return redirect_to(request, clean);
    const auto routes = find_routes(path);
    if (routes.empty()) return not_served(request, path);
    if (request.method == Method::options) {
        auto reply = reply_text(200, "");
        reply.allow = allowed(routes);
        return reply;
    }
    const auto route = std::ranges::find_if(routes, [&](const Route* each) {
        return std::ranges::find(each->methods, request.method) != each->methods.end();
    });
    if (route == routes.end()) {
        auto reply = reply_text(405, "method " + std::string(name(request.method)) + " not allowed");
        reply.allow = allowed(routes);
        return reply;
    }
    request.route = *route;
    request.argument = http::percent_decode(path.substr(request.route->path.size())).value_or("");
    if (auto refused = refuse_unknown_parameters(request)) return refused;
    if (auto refused = read_query_options(request)) return refused;
    return read_filter(request);
}

ConsulReply answer(Stores& stores, const ConsulRequest& request) {
    auto reply = request.route->handler(stores, request);
    if (request.has("pretty") && reply.content_type == "application/json") reply.body = indented(reply.body);
    return reply;
}

} // namespace flotilla::hub::consul
