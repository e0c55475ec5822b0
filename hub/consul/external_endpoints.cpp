#include <algorithm>
#include <array>

#include "hub/consul/catalog_definitions.hpp"
#include "hub/consul/json_fields.hpp"
#include "hub/consul/limits.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

ConsulReply undecodable(const Error& error) { return reply_text(400, error.message()); }

/// What Consul answers when its server refuses what its agent has understood.
ConsulReply refused(std::string text) { return reply_text(500, std::move(text)); }

std::optional<std::string> objection(CatalogRegistration& registration) {
    if (auto found = objection(registration.node)) return found;
    if (registration.node.address.empty() && !registration.skip_node_update)
        return "Must provide address if SkipNodeUpdate is not set";
    if (registration.service) {
        if (auto found = objection(*registration.service)) return found;
    }
    for (auto& check : registration.checks) {
        if (auto found = objection(check)) return found;
        if (ExternalNodes::key(check.node) != ExternalNodes::key(registration.node.name))
            return "check node \"" + check.node + "\" does not match node \"" + registration.node.name + "\"";
    }
    return std::nullopt;
}

Result<void> apply(ExternalNodes& nodes, CatalogRegistration registration) {
    const auto name = registration.node.name;
    if (!registration.skip_node_update || !nodes.node(name)) {
        if (auto done = nodes.set_node(std::move(registration.node)); !done) return done;
    }
    if (registration.service) {
        if (auto done = nodes.set_service(name, std::move(*registration.service)); !done) return done;
    }
    for (auto& check : registration.checks) {
        if (auto done = nodes.set_check(std::move(check)); !done) return done;
    }
    return {};
}

ConsulReply register_external(Stores& stores, const ConsulRequest& request) {
    const auto body = parse_body(request.body);
    if (!body) return undecodable(body.error());
    auto registration = parse_catalog_registration(*body);
    if (!registration) return undecodable(registration.error());
    if (!registration->datacenter.empty() && registration->datacenter != kDatacenter)
        return refused("No path to datacenter");
    if (auto found = objection(*registration)) return refused(std::move(*found));
    auto& external = stores.external;
    const auto& name = registration->node.name;
    Additions more;
    more.nodes = external.node(name) ? 0 : 1;
    more.services = registration->service && !external.service(name, registration->service->id) ? 1 : 0;
    more.checks = static_cast<std::size_t>(std::ranges::count_if(
        registration->checks, [&](const ExternalCheck& check) { return !external.check(name, check.id); }));
    if (auto full = reply_if_full(stores, more)) return std::move(*full);
    stores.begin_transaction();
    if (const auto done = apply(external, std::move(*registration)); !done) {
        stores.take_transaction_back();
        return refused(done.error().message());
    }
    stores.keep_transaction();
    return reply_json(true);
}

ConsulReply deregister_external(Stores& stores, const ConsulRequest& request) {
    const auto body = parse_body(request.body);
    if (!body) return undecodable(body.error());
    const auto gone = parse_catalog_deregistration(*body);
    if (!gone) return undecodable(gone.error());
    if (!gone->datacenter.empty() && gone->datacenter != kDatacenter) return refused("No path to datacenter");
    if (gone->node.empty()) return refused("Must provide node");
    if (auto found = objection_to_own_node(gone->node)) return refused(std::move(*found));
    if (!gone->service_id.empty()) {
        stores.external.remove_service(gone->node, gone->service_id);
    } else if (!gone->check_id.empty()) {
        stores.external.remove_check(gone->node, gone->check_id);
    } else {
        stores.external.remove_node(gone->node);
    }
    return reply_json(true);
}

} // namespace

std::span<const Route> external_routes() {
    static const std::array<Route, 2> routes{{
        {"/v1/catalog/register", {Method::put}, &register_external},
        {"/v1/catalog/deregister", {Method::put}, &deregister_external},
    }};
    return routes;
}

} // namespace flotilla::hub::consul
