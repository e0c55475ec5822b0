#include "hub/consul/request.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <simdjson.h>

#include "hub/consul/go_duration.hpp"

namespace flotilla::hub::consul {
namespace {

// https://developer.hashicorp.com/consul/api-docs/features/blocking
constexpr Duration kWaitDefault = std::chrono::minutes(5);
constexpr Duration kWaitMax = std::chrono::minutes(10);

const Route* find_route(std::string_view path) {
    const Route* found = nullptr;
    for (const auto routes : {agent_routes(), catalog_routes(), kv_routes(), session_routes()}) {
        for (const auto& route : routes) {
            const bool matches = route.path.ends_with('/') ? path.starts_with(route.path) : path == route.path;
            if (matches && (!found || route.path.size() > found->path.size())) found = &route;
        }
    }
    return found;
}

ConsulReply method_not_allowed(const Route& route, Method method) {
    auto reply = reply_text(405, "method " + std::string(name(method)) + " not allowed");
    for (const auto each : route.methods)
        reply.allow += (reply.allow.empty() ? "" : ",") + std::string(name(each));
    return reply;
}

} // namespace

bool ConsulRequest::has(std::string_view name) const {
    return std::ranges::any_of(parameters, [&](const auto& each) { return each.first == name; });
}

std::string_view ConsulRequest::parameter(std::string_view name) const {
    const auto found =
        std::ranges::find(parameters, name, [](const auto& each) { return std::string_view(each.first); });
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<std::string_view> ConsulRequest::all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [key, value] : parameters) {
        if (key == name) values.push_back(value);
    }
    return values;
}

ConsulReply reply_json(const boost::json::value& value, std::uint64_t index) {
    return {.body = boost::json::serialize(value), .index = index};
}

ConsulReply reply_text(int status, std::string text) {
    return {.status = status, .body = std::move(text), .content_type = "text/plain; charset=utf-8"};
}

ConsulReply reply_nothing() { return {}; }
ConsulReply reply_pending() { return {.pending = true}; }

ConsulReply reply_full(std::string_view what, std::size_t limit) {
    return reply_text(503, "the registry is full: it holds at most " + std::to_string(limit) + " " + std::string(what));
}

std::optional<ConsulReply> read_query_options(ConsulRequest& request) {
    for (const auto& [name, value] : request.parameters) {
        if (!simdjson::validate_utf8(name.data(), name.size()) ||
            !simdjson::validate_utf8(value.data(), value.size())) {
            return reply_text(400, "Bad query: not valid UTF-8");
        }
    }
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
    if (const auto datacenter = request.parameter("dc"); !datacenter.empty() && datacenter != kDatacenter) {
        return reply_text(500, "No path to datacenter");
    }
    // Answering unfiltered would be wrong quietly.
    if (request.has("filter")) return reply_text(400, "filter expressions are not supported here");
    return std::nullopt;
}

std::string_view route_of(std::string_view path) {
    const auto* route = find_route(path);
    return route ? route->path : std::string_view();
}

ConsulReply answer(Stores& stores, ConsulRequest& request, std::string_view path) {
    const auto* route = find_route(path);
    if (!route) return reply_text(404, "404 page not found");
    if (std::ranges::find(route->methods, request.method) == route->methods.end())
        return method_not_allowed(*route, request.method);
    auto argument = http::percent_decode(path.substr(route->path.size()));
    if (!argument || !simdjson::validate_utf8(argument->data(), argument->size()))
        return reply_text(400, "Bad path: not valid UTF-8");
    request.argument = std::move(*argument);
    return route->handler(stores, request);
}

} // namespace flotilla::hub::consul
