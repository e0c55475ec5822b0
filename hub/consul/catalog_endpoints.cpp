#include <algorithm>
#include <array>
#include <utility>

#include <flotilla/base/ascii.hpp>

#include "hub/consul/catalog_shapes.hpp"
#include "hub/consul/filter_fields.hpp"
#include "hub/consul/json_fields.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

// This node's own and those of external nodes, told apart by overloads ---------------------------------------------

const ServiceDefinition& definition(const RegisteredService& service) { return service.definition; }
const ServiceDefinition& definition(const ExternalService& service) { return service.service.definition; }

bj::object catalog_row(const Stores& stores, const RegisteredService& service) {
    return catalog_service_json(stores.node, service);
}
bj::object catalog_row(const Stores& stores, const ExternalService& service) {
    return catalog_service_json(stores.external, service);
}
bj::object health_row(const Stores& stores, const RegisteredService& service) {
    return health_json(stores.node, stores.registry, service);
}
bj::object health_row(const Stores& stores, const ExternalService& service) {
    return health_json(stores.external, service);
}

bool passes(const auto& checks) {
    return std::ranges::all_of(checks, [](const auto* check) { return check->status == CheckStatus::passing; });
}
bool passes(const Stores& stores, const RegisteredService& service) {
    return passes(stores.registry.checks_of(service.definition.id));
}
bool passes(const Stores& stores, const ExternalService& service) { return passes(stores.external.checks_of(service)); }

/// Calls `own` for this node and `external` for the others, in order of names, those that `?node-meta=` asks for.
void each_node(const Stores& stores, const ConsulRequest& request, const auto& own, const auto& external) {
    bool own_is_due = has_node_meta(request, node_meta());
    for (const auto& [key, node] : stores.external.nodes()) {
        if (key > kNodeName && std::exchange(own_is_due, false)) own();
        if (has_node_meta(request, node.meta)) external(node);
    }
    if (own_is_due) own();
}

/// The instances of a name, in order of their nodes.
void each_instance(const Stores& stores, const ConsulRequest& request, std::string_view name, const auto& visit) {
    bool own_are_due = has_node_meta(request, node_meta());
    const auto visit_own = [&] {
        own_are_due = false;
        for (const auto* each : stores.registry.services_named(name))
            visit(*each);
    };
    for (const auto* each : stores.external.services_named(name)) {
        if (own_are_due && ExternalNodes::key(each->node) > kNodeName) visit_own();
        if (has_node_meta(request, stores.external.node(each->node)->meta)) visit(*each);
    }
    if (own_are_due) visit_own();
}

bool has_tags(const ServiceDefinition& service, const std::vector<std::string_view>& tags) {
    return std::ranges::all_of(
        tags, [&](std::string_view tag) { return std::ranges::find(service.tags, tag) != service.tags.end(); });
}

void append(bj::array& rows, const ConsulRequest& request, bj::value row) {
    if (request.keeps(row)) rows.push_back(std::move(row));
}

// Catalogue -------------------------------------------------------------------------------------------------------

ConsulReply datacenters(Stores&, const ConsulRequest&) { return reply_json(bj::array{kDatacenter}); }

ConsulReply nodes(Stores& stores, const ConsulRequest& request) {
    const auto index = std::max(stores.node.index, stores.external.nodes_index());
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    each_node(
        stores, request, [&] { append(result, request, node_json(stores.node)); },
        [&](const ExternalNode& node) { append(result, request, node_json(node)); });
    return reply_json(std::move(result), index);
}

/// The services of the node that the path names, each given to `add`; its row, null when there is no such node.
bj::value services_of_node(const Stores& stores, const ConsulRequest& request, const auto& add) {
    const auto add_kept = [&](const RegisteredService& service) {
        bj::value row = service_json(service);
        if (request.keeps(row)) add(service.definition.id, std::move(row));
    };
    if (equal_ignoring_case(request.argument, kNodeName)) {
        for (const auto& [id, service] : stores.registry.services())
            add_kept(service);
        return node_json(stores.node);
    }
    const auto* node = stores.external.node(request.argument);
    if (!node) return nullptr;
    for (const auto* each : stores.external.services_of(node->name))
        add_kept(each->service);
    return node_json(*node);
}

ConsulReply node(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing node name");
    const auto index = stores.registry.services_index();
    if (request.waits_past(index)) return reply_pending();
    bj::object services;
    auto node =
        services_of_node(stores, request, [&](const std::string& id, bj::value row) { services[id] = std::move(row); });
    if (node.is_null()) return reply_json(nullptr, index);
    return reply_json(bj::object{{"Node", std::move(node)}, {"Services", std::move(services)}}, index);
}

ConsulReply node_services(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing node name");
    const auto index = stores.registry.services_index();
    if (request.waits_past(index)) return reply_pending();
    bj::array services;
    auto node = services_of_node(stores, request,
                                 [&](const std::string&, bj::value row) { services.push_back(std::move(row)); });
    if (node.is_null()) return reply_json(bj::object{{"Node", nullptr}, {"Services", nullptr}}, index);
    return reply_json(bj::object{{"Node", std::move(node)}, {"Services", std::move(services)}}, index);
}

ConsulReply services(Stores& stores, const ConsulRequest& request) {
    const auto index = stores.registry.services_index();
    if (request.waits_past(index)) return reply_pending();
    std::map<std::string, std::set<std::string>> tags_of;
    const auto add = [&](const auto& service) {
        if (request.filter && !request.keeps(catalog_row(stores, service))) return;
        const auto& tags = definition(service).tags;
        tags_of[definition(service).name].insert(tags.begin(), tags.end());
    };
    each_node(
        stores, request,
        [&] {
            for (const auto& [id, service] : stores.registry.services())
                add(service);
        },
        [&](const ExternalNode& node) {
            for (const auto* service : stores.external.services_of(node.name))
                add(*service);
        });
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
    each_instance(stores, request, request.argument, [&](const auto& each) {
        if (has_tags(definition(each), request.all("tag"))) append(result, request, catalog_row(stores, each));
    });
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
    each_instance(stores, request, request.argument, [&](const auto& each) {
        if (!has_tags(definition(each), request.all("tag"))) return;
        if (!*only_passing || passes(stores, each)) append(result, request, health_row(stores, each));
    });
    return reply_json(std::move(result), index);
}

/// The row of every check, in order of their nodes and ids.
void each_check(const Stores& stores, const ConsulRequest& request, const auto& visit) {
    each_node(
        stores, request,
        [&] {
            for (auto& [id, check] : all_checks(stores.registry))
                visit(std::move(check));
        },
        [&](const ExternalNode& node) {
            for (const auto* check : stores.external.checks_of(node.name))
                visit(check_json(stores.external, *check));
        });
}

ConsulReply health_checks(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing service name");
    const auto index = stores.registry.index_of_service(request.argument);
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    each_node(
        stores, request,
        [&] {
            for (const auto& [id, check] : stores.registry.checks()) {
                if (equal_ignoring_case(check.service_name, request.argument))
                    append(result, request, check_json(stores.registry, check));
            }
        },
        [&](const ExternalNode& node) {
            for (const auto* check : stores.external.checks_of(node.name)) {
                if (equal_ignoring_case(check->service_name, request.argument))
                    append(result, request, check_json(stores.external, *check));
            }
        });
    return reply_json(std::move(result), index);
}

ConsulReply health_state(Stores& stores, const ConsulRequest& request) {
    const auto& wanted = request.argument;
    if (wanted.empty()) return reply_text(400, "Missing check state");
    const auto index = stores.registry.checks_index();
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    each_check(stores, request, [&](bj::object check) {
        if (wanted == "any" || wanted == view(check.at("Status").get_string()))
            append(result, request, std::move(check));
    });
    return reply_json(std::move(result), index);
}

ConsulReply health_node(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing node name");
    const auto index = stores.registry.checks_index();
    if (request.waits_past(index)) return reply_pending();
    bj::array result;
    if (equal_ignoring_case(request.argument, kNodeName)) {
        for (auto& [id, check] : all_checks(stores.registry))
            append(result, request, std::move(check));
    }
    for (const auto* check : stores.external.checks_of(std::string_view(request.argument)))
        append(result, request, check_json(stores.external, *check));
    return reply_json(std::move(result), index);
}

// Status ----------------------------------------------------------------------------------------------------------

ConsulReply leader(Stores&, const ConsulRequest&) { return reply_json("127.0.0.1:8300"); }
ConsulReply peers(Stores&, const ConsulRequest&) { return reply_json(bj::array{"127.0.0.1:8300"}); }

} // namespace

std::span<const Route> catalog_routes() {
    static const std::array<Route, 12> routes{{
        {"/v1/catalog/datacenters", {Method::get}, &datacenters},
        {"/v1/catalog/nodes", {Method::get}, &nodes, {"near", "node-meta", "filter"}, node_fields()},
        {"/v1/catalog/node/", {Method::get}, &node, {"filter"}, service_fields()},
        {"/v1/catalog/node-services/", {Method::get}, &node_services, {"filter"}, service_fields()},
        {"/v1/catalog/services", {Method::get}, &services, {"node-meta", "filter"}, catalog_service_fields()},
        {"/v1/catalog/service/",
         {Method::get},
         &service,
         {"tag", "near", "node-meta", "filter", "peer", "sg", "merge-central-config"},
         catalog_service_fields()},
        {"/v1/health/service/",
         {Method::get},
         &health_service,
         {"passing", "tag", "near", "node-meta", "filter", "peer", "sg", "merge-central-config"},
         health_fields()},
        {"/v1/health/checks/", {Method::get}, &health_checks, {"near", "node-meta", "filter"}, check_fields()},
        {"/v1/health/state/", {Method::get}, &health_state, {"near", "node-meta", "filter"}, check_fields()},
        {"/v1/health/node/", {Method::get}, &health_node, {"filter"}, check_fields()},
        {"/v1/status/leader", {Method::get}, &leader},
        {"/v1/status/peers", {Method::get}, &peers},
    }};
    return routes;
}

} // namespace flotilla::hub::consul
