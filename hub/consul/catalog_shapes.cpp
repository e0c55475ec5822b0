#include "hub/consul/catalog_shapes.hpp"

#include "hub/consul/shapes.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

/// As Consul: no entries are null.
bj::value text_map(const std::map<std::string, std::string>& entries) {
    if (entries.empty()) return nullptr;
    bj::object result;
    for (const auto& [key, value] : entries)
        result[key] = value;
    return result;
}

} // namespace

bj::object node_json(const ExternalNode& node) {
    return {{"ID", node.id},
            {"Node", node.name},
            {"Address", node.address},
            {"Datacenter", kDatacenter},
            {"TaggedAddresses", text_map(node.tagged_addresses)},
            {"Meta", text_map(node.meta)},
            {"CreateIndex", node.create_index},
            {"ModifyIndex", node.modify_index}};
}

bj::object check_json(const ExternalNodes& nodes, const ExternalCheck& check) {
    bj::array tags;
    if (const auto* owner = check.service_id.empty() ? nullptr : nodes.service(check.node, check.service_id)) {
        for (const auto& tag : owner->service.definition.tags)
            tags.emplace_back(tag);
    }
    return {{"Node", check.node},
            {"CheckID", check.id},
            {"Name", check.name},
            {"Status", name(check.status)},
            {"Notes", check.notes},
            {"Output", check.output},
            {"ServiceID", check.service_id},
            {"ServiceName", check.service_name},
            {"ServiceTags", std::move(tags)},
            {"Type", check.type},
            {"Interval", ""},
            {"Timeout", ""},
            {"ExposedPort", 0},
            {"Definition", check.definition.empty() ? bj::value(bj::object()) : bj::parse(check.definition)},
            {"CreateIndex", check.create_index},
            {"ModifyIndex", check.modify_index}};
}

bj::object health_json(const ExternalNodes& nodes, const ExternalService& service) {
    bj::array checks;
    for (const auto* check : nodes.checks_of(service))
        checks.push_back(check_json(nodes, *check));
    return {{"Node", node_json(*nodes.node(service.node))},
            {"Service", service_json(service.service)},
            {"Checks", std::move(checks)}};
}

bj::object catalog_service_json(const ExternalNodes& nodes, const ExternalService& service) {
    auto row = catalog_service_json(Node{}, service.service);
    const auto node = node_json(*nodes.node(service.node));
    for (const auto* member : {"ID", "Node", "Address", "TaggedAddresses"})
        row[member] = node.at(member);
    row["NodeMeta"] = node.at("Meta");
    return row;
}

} // namespace flotilla::hub::consul
