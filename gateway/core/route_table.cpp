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

Result<std::optional<Expectation>> compile_expectation(const BranchConfig& branch) {
    if (!branch.expect) return std::optional<Expectation>();
    const std::vector<std::string> answer{branch.name};
    Expectation expectation{
        .members = {}, .status = branch.expect->status, .code = branch.expect->code, .error = branch.expect->error};
    for (const auto& [name, value] : branch.expect->members) {
        auto place = JsonReference::parse(branch.name + "." + name, answer);
        if (!place) return at(branch.where, place.error());
        expectation.members.emplace_back(std::move(*place), value);
    }
    return std::optional(std::move(expectation));
}

/// `sources`: the client's body, and the branches above.
Result<Branch> compile_branch(const BranchConfig& branch, const std::string& path,
                              std::span<const std::string> sources) {
    auto target = PathTemplate::compile(branch.target, path, sources);
    if (!target) return at(branch.where, target.error());
    std::optional<BodyTemplate> body;
    if (branch.body) {
        auto compiled = BodyTemplate::compile(*branch.body, path, sources);
        if (!compiled) return at(branch.body_where, compiled.error());
        body.emplace(std::move(*compiled));
    }
    auto expect = compile_expectation(branch);
    if (!expect) return std::move(expect.error());
    return Branch{.name = branch.name,
                  .service = branch.service,
                  .method = branch.method,
                  .safe = branch.safe,
                  .target = std::move(*target),
                  .body = std::move(body),
                  .expect = std::move(*expect),
                  .required = branch.required,
                  .timeout = branch.timeout,
                  .fallback_age_max = branch.fallback_age_max};
}

/// The branches that it refers to.
std::vector<std::size_t> needs_of(const Branch& branch) {
    auto uses = branch.target.uses();
    if (branch.body) uses.insert(uses.end(), branch.body->uses().begin(), branch.body->uses().end());
    std::erase(uses, kClientBody);
    for (auto& each : uses)
        --each; // the client's body comes before them
    return uses;
}

/// When each branch runs: as soon as those that it refers to have ended; one that writes when all above it have, and
/// those below it after it. Errors: one that must not fail refers to one that may.
Result<std::size_t> stage_of(const Branch& branch, std::span<const Branch> above, const BranchConfig& from) {
    std::size_t stage = 0;
    for (std::size_t i = 0; i < above.size(); ++i) {
        if (!branch.safe || !above[i].safe) stage = std::max(stage, above[i].stage + 1);
    }
    for (const auto need : needs_of(branch)) {
        stage = std::max(stage, above[need].stage + 1);
        if (above[need].required || !branch.required) continue;
        return at(from.where, Error(Kind::invalid, "branch '" + branch.name + "' is required and refers to '" +
                                                       above[need].name + "', which is not"));
    }
    return stage;
}

Result<RouteTarget> composition_target(const CompositionConfig& composition, const std::string& path) {
    CompositionAction action{.branches = {}, .result = {}, .on_failure = composition.on_failure};
    action.has_body = std::ranges::find(composition.match.methods, "GET") == composition.match.methods.end();
    std::vector<std::string> sources{action.has_body ? std::string(kClientBodyName) : std::string()};
    for (const auto& branch : composition.answer) {
        auto compiled = compile_branch(branch, path, sources);
        if (!compiled) return std::move(compiled.error());
        auto stage = stage_of(*compiled, action.branches, branch);
        if (!stage) return std::move(stage.error());
        compiled->stage = *stage;
        action.stages = std::max(action.stages, *stage + 1);
        action.refers = action.refers || !compiled->target.uses().empty() || compiled->body;
        if (branch.name == composition.result) action.result = action.branches.size();
        action.branches.push_back(std::move(*compiled));
        sources.push_back(branch.name);
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
