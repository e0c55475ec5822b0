#include "gateway/core/route_table.hpp"

#include <algorithm>

#include <flotilla/base/ascii.hpp>

namespace flotilla::gateway {
namespace {

Error at(const Location& where, const Error& error) {
    return Error(Kind::invalid, "invalid_configuration", where.to_string() + ": " + error.message());
}

Result<RouteTarget> proxy_target(const RouteConfig& route, const std::string& path) {
    ProxyAction action{.service = route.to, .pattern = path, .rewrite = {}};
    if (route.rewrite) {
        auto compiled = PathTemplate::compile(*route.rewrite, path);
        if (!compiled) return at(route.rewrite_where, compiled.error());
        action.rewrite = std::move(*compiled);
    }
    return RouteTarget{.pattern = path, .action = std::move(action)};
}

Result<RouteTarget> composition_target(const CompositionConfig& composition, const std::string& path) {
    CompositionAction action{.branches = {}, .on_failure = composition.on_failure};
    for (const auto& branch : composition.answer) {
        auto compiled = PathTemplate::compile(branch.target, path);
        if (!compiled) return at(branch.where, compiled.error());
        action.branches.push_back({branch.name, branch.service, std::move(*compiled), branch.required, branch.timeout,
                                   branch.fallback_age_max});
    }
    return RouteTarget{.pattern = path, .action = std::move(action)};
}

std::string host_of(std::string_view authority) {
    // "[v6]:port" keeps its brackets; anything else ends at the first colon.
    const auto end = authority.starts_with('[') ? authority.find(']') : authority.find(':');
    auto host = ascii_lower(authority.substr(0, end));
    if (host.starts_with('[')) host += ']';
    return host;
}

Result<std::size_t> match(const http::Router& router, Method method, std::string_view path) {
    auto matched = router.match(method, path);
    if (!matched) return std::move(matched.error());
    return matched->value;
}

} // namespace

Result<std::shared_ptr<const RouteTable>> RouteTable::build(const Config& config) {
    auto table = std::make_shared<RouteTable>();
    for (const auto& route : config.routes) {
        for (const auto& path : route.match.paths) {
            auto target = proxy_target(route, path);
            if (!target) return std::move(target.error());
            target->timeout = route.timeout;
            target->body_bytes_max = route.body_bytes_max.value_or(config.body_bytes_max);
            target->criticality = route.criticality;
            if (auto added = table->add(route.match, path, std::move(*target)); !added) return std::move(added.error());
        }
    }
    for (const auto& composition : config.compositions) {
        for (const auto& path : composition.match.paths) {
            auto target = composition_target(composition, path);
            if (!target) return std::move(target.error());
            target->timeout = composition.timeout;
            target->body_bytes_max = config.body_bytes_max;
            target->criticality = composition.criticality;
            if (auto added = table->add(composition.match, path, std::move(*target)); !added) {
                return std::move(added.error());
            }
        }
    }
    return std::shared_ptr<const RouteTable>(std::move(table));
}

Result<void> RouteTable::add(const Match& match, std::string_view path, RouteTarget target) {
    auto& router = match.host.empty() ? any_host_ : hosts_[match.host];
    std::vector<std::optional<Method>> methods;
    for (const auto& method : match.methods)
        methods.emplace_back(parse_method(method));
    if (methods.empty()) methods.emplace_back(std::nullopt);
    for (const auto& method : methods) {
        if (auto added = router.add(method, path, targets_.size()); !added) return at(match.where, added.error());
    }
    targets_.push_back(std::move(target));
    return {};
}

const http::Router* RouteTable::router_of(std::string_view authority) const {
    if (hosts_.empty()) return nullptr;
    const auto found = hosts_.find(host_of(authority));
    return found == hosts_.end() ? nullptr : &found->second;
}

Result<std::size_t> RouteTable::find(Method method, std::string_view authority, std::string_view path) const {
    const auto* router = router_of(authority);
    if (!router) return match(any_host_, method, path);
    auto own = match(*router, method, path);
    if (own) return own;
    auto any = match(any_host_, method, path);
    if (any || own.error().kind() != Kind::method_not_allowed) return any;
    return own;
}

std::string RouteTable::allowed(std::string_view authority, std::string_view path) const {
    const auto* router = router_of(authority);
    auto methods = router ? router->allowed(path) : std::string();
    return methods.empty() ? any_host_.allowed(path) : methods;
}

} // namespace flotilla::gateway
