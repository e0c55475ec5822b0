#include <algorithm>
#include <array>

#include "hub/consul/json_fields.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

bool has_tags(const RegisteredService& service, const std::vector<std::string_view>& tags) {
    return std::ranges::all_of(tags, [&](std::string_view tag) {
        return std::ranges::find(service.definition.tags, tag) != service.definition.tags.end();
    });
}

// Catalogue -------------------------------------------------------------------------------------------------------

ConsulReply datacenters(Stores&, const ConsulRequest&) { return reply_json(bj::array{kDatacenter}); }

ConsulReply nodes(Stores& stores, const ConsulRequest& request) {
    const auto index = stores.node.index;
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    if (has_node_meta(request, node_meta())) result.push_back(node_json(stores.node));
    return reply_json(std::move(result), index);
}

ConsulReply node(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing node name");
    const auto index = stores.registry.services_index();
    if (request.waits_past(index)) return reply_pending();
    if (!same_name(request.argument, kNodeName)) return reply_json(nullptr, index);
    bj::object services;
    for (const auto& [id, service] : stores.registry.services())
        services[id] = service_json(service);
    return reply_json(bj::object{{"Node", node_json(stores.node)}, {"Services", std::move(services)}}, index);
}

ConsulReply services(Stores& stores, const ConsulRequest& request) {
    const auto index = stores.registry.services_index();
    if (request.waits_past(index)) return reply_pending();
    std::map<std::string, std::set<std::string>> tags_of;
    for (const auto& [id, service] : stores.registry.services()) {
        if (!has_node_meta(request, node_meta())) break;
        tags_of[service.definition.name].insert(service.definition.tags.begin(), service.definition.tags.end());
    }
    bj::object result;
    for (const auto& [name, tags] : tags_of) {
        bj::array list;
        for (const auto& tag : tags)
            list.emplace_back(tag);
        result[name] = std::move(list);
    }
    return reply_json(std::move(result), index);
}

/// What is imported from a peer: nothing, since there are none.
ConsulReply imported(const ConsulRequest& request) {
    constexpr std::uint64_t kNever = 1;
    return request.waits_past(kNever) ? reply_pending() : reply_json(bj::array(), kNever);
}

ConsulReply service(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing service name");
    if (!request.parameter("peer").empty()) return imported(request);
    const auto index = stores.registry.index_of_service(request.argument);
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    for (const auto* each : stores.registry.services_named(request.argument)) {
        if (!has_node_meta(request, node_meta())) break;
        if (has_tags(*each, request.all("tag"))) result.push_back(catalog_service_json(stores.node, *each));
    }
    return reply_json(std::move(result), index);
}

// Health ----------------------------------------------------------------------------------------------------------

ConsulReply health_service(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing service name");
    const auto only_passing = read_flag(request, "passing");
    if (!only_passing) return reply_text(400, "Invalid value for ?passing");
    if (!request.parameter("peer").empty()) return imported(request);
    const auto index = stores.registry.index_of_service(request.argument);
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    for (const auto* each : stores.registry.services_named(request.argument)) {
        if (!has_node_meta(request, node_meta())) break;
        if (!has_tags(*each, request.all("tag"))) continue;
        const auto checks = stores.registry.checks_of(each->definition.id);
        const bool passing =
            std::ranges::all_of(checks, [](const auto* check) { return check->status == CheckStatus::passing; });
        if (!*only_passing || passing) result.push_back(health_json(stores.node, stores.registry, *each));
    }
    return reply_json(std::move(result), index);
}

ConsulReply health_checks(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing service name");
    const auto index = stores.registry.index_of_service(request.argument);
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    for (const auto& [id, check] : stores.registry.checks()) {
        if (!has_node_meta(request, node_meta())) break;
        if (same_name(check.service_name, request.argument)) result.push_back(check_json(stores.registry, check));
    }
    return reply_json(std::move(result), index);
}

ConsulReply health_state(Stores& stores, const ConsulRequest& request) {
    const auto& wanted = request.argument;
    if (wanted.empty()) return reply_text(400, "Missing check state");
    const auto index = stores.registry.checks_index();
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    for (auto& [id, check] : all_checks(stores.registry)) {
        if (!has_node_meta(request, node_meta())) break;
        if (wanted == "any" || wanted == view(check.at("Status").get_string())) result.push_back(std::move(check));
    }
    return reply_json(std::move(result), index);
}

ConsulReply health_node(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing node name");
    const auto index = stores.registry.checks_index();
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    if (same_name(request.argument, kNodeName)) {
        for (auto& [id, check] : all_checks(stores.registry))
            result.push_back(std::move(check));
    }
    return reply_json(std::move(result), index);
}

// Status ----------------------------------------------------------------------------------------------------------

ConsulReply leader(Stores&, const ConsulRequest&) { return reply_json("127.0.0.1:8300"); }
ConsulReply peers(Stores&, const ConsulRequest&) { return reply_json(bj::array{"127.0.0.1:8300"}); }

} // namespace

std::span<const Route> catalog_routes() {
    static const std::array<Route, 11> routes{{
        {"/v1/catalog/datacenters", {Method::get}, &datacenters},
        {"/v1/catalog/nodes", {Method::get}, &nodes, {"near", "node-meta", "filter"}},
        {"/v1/catalog/node/", {Method::get}, &node, {"filter"}},
        {"/v1/catalog/services", {Method::get}, &services, {"node-meta", "filter"}},
        {"/v1/catalog/service/",
         {Method::get},
         &service,
         {"tag", "near", "node-meta", "filter", "peer", "sg", "merge-central-config"}},
        {"/v1/health/service/",
         {Method::get},
         &health_service,
         {"passing", "tag", "near", "node-meta", "filter", "peer", "sg", "merge-central-config"}},
        {"/v1/health/checks/", {Method::get}, &health_checks, {"near", "node-meta", "filter"}},
        {"/v1/health/state/", {Method::get}, &health_state, {"near", "node-meta", "filter"}},
        {"/v1/health/node/", {Method::get}, &health_node, {"filter"}},
        {"/v1/status/leader", {Method::get}, &leader},
        {"/v1/status/peers", {Method::get}, &peers},
    }};
    return routes;
}

} // namespace flotilla::hub::consul
