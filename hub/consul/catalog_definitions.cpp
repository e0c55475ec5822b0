#include "hub/consul/catalog_definitions.hpp"

#include <algorithm>
#include <array>

#include <flotilla/base/uuid.hpp>

#include "hub/consul/go_duration.hpp"
#include "hub/consul/json_fields.hpp"
#include "hub/consul/registry_state.hpp"
#include "hub/consul/service_members.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

Error invalid(std::string message) { return {Kind::invalid, std::move(message)}; }

std::uint64_t modify_index(JsonFields& fields) {
    (void)fields.unsigned_number("CreateIndex"); // rows are written back as they were read
    return fields.unsigned_number("ModifyIndex");
}

void keep_definition(JsonFields& members, bj::object& kept) {
    for (const auto* name : {"HTTP", "TLSServerName", "Method", "Body", "TCP", "UDP", "GRPC", "H2PING", "OSService"}) {
        if (auto text = members.text(name); !text.empty()) kept[name] = text;
    }
    for (const auto* name : {"TLSSkipVerify", "DisableRedirects", "TCPUseTLS", "GRPCUseTLS", "H2PingUseTLS"}) {
        if (members.flag(name)) kept[name] = true;
    }
    for (const auto* name : {"Interval", "Timeout", "DeregisterCriticalServiceAfter"}) {
        auto duration = members.duration(name);
        if (duration == Duration::zero()) duration = members.duration(std::string(name) + "Duration");
        if (duration != Duration::zero()) kept[name] = go_text(duration);
    }
    if (const auto* headers = members.object("Header"); headers && !headers->empty()) kept["Header"] = *headers;
}

/// What another registry's monitor (consul-esm) keeps with a check to know what to do; shown as it came.
std::string check_definition(JsonFields& fields) {
    const auto* object = fields.object("Definition");
    if (!object || object->empty()) return {};
    bj::object kept;
    fields.read_part(*object, [&kept](JsonFields& members) { keep_definition(members, kept); });
    return kept.empty() ? std::string() : bj::serialize(kept);
}

/// What rows carry in Consul's enterprise edition, or have by default.
void refuse_enterprise(JsonFields& fields) {
    for (const auto* name : {"Namespace", "Partition"}) {
        const auto text = fields.text(name);
        if (!text.empty() && text != "default") fields.fail(name, "\"default\", the only one there is");
    }
}

/// As written: unlike an agent, the catalogue takes weights of 0.
void parse_catalog_weights(JsonFields& fields, ServiceDefinition& service) {
    const auto weights = read_weights(fields);
    if (!weights) return;
    if (weights->passing < 0 || weights->passing > 65535 || weights->warning < 0 || weights->warning > 65535)
        return fields.fail("Weights", "Passing and Warning, 0..65535");
    service.weight_passing = static_cast<int>(weights->passing);
    service.weight_warning = static_cast<int>(weights->warning);
}

ServiceDefinition service_of(JsonFields& fields) {
    auto service = read_service(fields, "Service");
    parse_catalog_weights(fields, service);
    for (const auto* name : {"Kind", "SocketPath", "PeerName", "Proxy", "Connect", "Locality"}) {
        if (fields.is_set(name)) fields.fail(name, "none: the service mesh, peers and sockets are not served here");
    }
    refuse_enterprise(fields);
    (void)fields.text("Datacenter");
    (void)fields.text("ContentHash");
    return service;
}

ExternalCheck check_of(JsonFields& fields) {
    ExternalCheck check;
    check.node = fields.text("Node");
    check.id = fields.text("CheckID");
    check.name = fields.text("Name");
    check.notes = fields.text("Notes");
    check.output = fields.text("Output");
    check.service_id = fields.text("ServiceID");
    check.type = fields.text("Type");
    check.definition = check_definition(fields);
    (void)fields.text("ServiceName"); // the service says what it and its tags are
    (void)fields.texts("ServiceTags");
    for (const auto* name : {"ExposedPort", "PeerName", "Interval", "Timeout"}) {
        if (fields.is_set(name)) fields.fail(name, "none: it is not kept here; see Definition");
    }
    refuse_enterprise(fields);
    if (const auto status = fields.text("Status"); !status.empty()) {
        const auto known = parse_check_status(status);
        if (!known) fields.fail("Status", "passing, warning or critical");
        check.status = known.value_or(CheckStatus::critical);
    }
    return check;
}

ExternalNode node_of(JsonFields& fields, std::string_view meta) {
    ExternalNode node;
    node.id = fields.text("ID");
    node.name = fields.text("Node");
    node.address = fields.text("Address");
    node.tagged_addresses = fields.text_map("TaggedAddresses");
    node.meta = fields.text_map(meta);
    for (const auto* name : {"PeerName", "Locality"}) {
        if (fields.is_set(name)) fields.fail(name, "none: peers and localities are not served here");
    }
    refuse_enterprise(fields);
    return node;
}

} // namespace

Result<CatalogRegistration> parse_catalog_registration(const bj::value& body) {
    const auto object = as_object(body);
    if (!object) return object.error();
    JsonFields fields(**object);
    CatalogRegistration registration;
    registration.datacenter = fields.text("Datacenter");
    registration.node = node_of(fields, "NodeMeta");
    registration.skip_node_update = fields.flag("SkipNodeUpdate");
    if (const auto* service = fields.object("Service")) {
        auto parsed = parse_external_service(*service);
        if (!parsed) return std::move(parsed.error());
        registration.service = std::move(parsed->item);
    }
    std::vector<const bj::object*> checks;
    if (const auto* list = fields.array("Checks")) {
        for (const auto& each : *list) {
            if (!each.is_object()) return invalid("Request decode failed: 'Checks' expected a list of objects");
            checks.push_back(&each.get_object());
        }
    }
    if (const auto* one = fields.object("Check")) checks.push_back(one);
    (void)fields.unsigned_number("CreateIndex");
    (void)fields.unsigned_number("ModifyIndex");
    fields.finish();
    if (fields.error()) return *fields.error();
    for (const auto* each : checks) {
        auto check = parse_external_check(*each);
        if (!check) return std::move(check.error());
        if (check->item.node.empty()) check->item.node = registration.node.name;
        registration.checks.push_back(std::move(check->item));
    }
    return registration;
}

Result<CatalogDeregistration> parse_catalog_deregistration(const bj::value& body) {
    const auto object = as_object(body);
    if (!object) return object.error();
    return JsonFields::read_whole(**object, [](JsonFields& fields) {
        CatalogDeregistration gone;
        gone.datacenter = fields.text("Datacenter");
        gone.node = fields.text("Node");
        gone.service_id = fields.text("ServiceID");
        gone.check_id = fields.text("CheckID");
        (void)fields.text("Address"); // Consul reads and ignores it
        refuse_enterprise(fields);
        return gone;
    });
}

Result<Expected<ExternalNode>> parse_external_node(const bj::object& object) {
    return JsonFields::read_whole(object, [](JsonFields& fields) {
        Expected<ExternalNode> node{node_of(fields, "Meta"), modify_index(fields)};
        if (const auto datacenter = fields.text("Datacenter"); !datacenter.empty() && datacenter != kDatacenter)
            fields.fail("Datacenter", std::string(kDatacenter));
        return node;
    });
}

Result<Expected<ServiceDefinition>> parse_external_service(const bj::object& object) {
    return JsonFields::read_whole(object, [](JsonFields& fields) {
        return Expected<ServiceDefinition>{service_of(fields), modify_index(fields)};
    });
}

Result<Expected<ExternalCheck>> parse_external_check(const bj::object& object) {
    return JsonFields::read_whole(
        object, [](JsonFields& fields) { return Expected<ExternalCheck>{check_of(fields), modify_index(fields)}; });
}

std::optional<std::string> objection(const ExternalNode& node) {
    if (node.name.empty()) return "Must provide node";
    if (!node.id.empty() && node.id.size() != 36) return "Bad node ID: uuid string is wrong length";
    if (!node.id.empty() && !is_uuid(node.id)) return "Bad node ID: uuid is improperly formatted";
    return objection_to_own_node(node.name);
}

std::optional<std::string> objection(ServiceDefinition& service) {
    if (service.id.empty()) service.id = service.name;
    if (service.id.empty()) return "Must provide service name (Service.Service)";
    if (service.name.empty()) return "Must provide service name (Service.Service) when service ID is provided";
    if (service.address == "0.0.0.0" || service.address == "::" || service.address == "[::]")
        return "Invalid service address";
    return std::nullopt;
}

std::optional<std::string> objection(ExternalCheck& check) {
    if (check.id.empty()) check.id = check.name;
    if (check.id.empty()) return "Must provide a check's CheckID or Name";
    if (check.node.empty()) return "Must provide node";
    return objection_to_own_node(check.node);
}

std::optional<std::string> objection_to_own_node(std::string_view node) {
    if (ExternalNodes::key(node) != kNodeName) return std::nullopt;
    return "node \"" + std::string(kNodeName) +
           "\" is this agent's own: register and deregister its services and checks through /v1/agent/";
}

} // namespace flotilla::hub::consul
