#include "hub/consul/shapes.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include <flotilla/base/base64.hpp>

#include "hub/consul/go_duration.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

/// Where Consul's server would listen for other servers; clients only compare and show it.
constexpr std::string_view kServerAddress = "127.0.0.1:8300";

bj::array strings(const std::vector<std::string>& texts) {
    bj::array result;
    for (const auto& text : texts)
        result.emplace_back(text);
    return result;
}

bj::object meta(const std::map<std::string, std::string>& entries) {
    bj::object result;
    for (const auto& [key, value] : entries)
        result[key] = value;
    return result;
}

bj::object weights(const ServiceDefinition& service) {
    return {{"Passing", service.weight_passing}, {"Warning", service.weight_warning}};
}

bj::object tagged_addresses(const ServiceDefinition& service) {
    bj::object result;
    for (const auto& [name, address] : service.tagged_addresses) {
        result[name] = bj::object{{"Address", address.address}, {"Port", address.port}};
    }
    return result;
}

bj::object node_addresses() {
    bj::object result;
    for (const auto* name : {"lan", "lan_ipv4", "wan", "wan_ipv4"})
        result[name] = kNodeAddress;
    return result;
}

/// FNV-1a; only has to change with the content.
std::string content_hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const unsigned char c : text)
        hash = (hash ^ c) * 0x100000001b3;
    return fmt::format("{:016x}", hash);
}

/// What Consul says of a service outside its mesh.
bj::object no_proxy() { return {{"Mode", ""}, {"MeshGateway", bj::object()}, {"Expose", bj::object()}}; }

/// How often and how long it probes; others do neither.
std::string probe_duration(const CheckDefinition& check, Duration duration) {
    return check.interval > Duration::zero() ? go_text(duration) : "";
}

} // namespace

const std::map<std::string, std::string>& node_meta() {
    static const std::map<std::string, std::string> entries{{"consul-network-segment", ""},
                                                            {"consul-version", std::string(kApiVersion)}};
    return entries;
}

bj::object node_json(const Node& node) {
    return {{"ID", node.id},
            {"Node", kNodeName},
            {"Address", kNodeAddress},
            {"Datacenter", kDatacenter},
            {"TaggedAddresses", node_addresses()},
            {"Meta", meta(node_meta())},
            {"CreateIndex", node.index},
            {"ModifyIndex", node.index}};
}

bj::object agent_service_json(const RegisteredService& service) {
    const auto& definition = service.definition;
    bj::object result{{"ID", definition.id},
                      {"Service", definition.name},
                      {"Tags", strings(definition.tags)},
                      {"Meta", meta(definition.meta)},
                      {"Port", definition.port},
                      {"Address", definition.address},
                      {"Weights", weights(definition)},
                      {"EnableTagOverride", definition.enable_tag_override},
                      {"Datacenter", kDatacenter}};
    if (!definition.tagged_addresses.empty()) result["TaggedAddresses"] = tagged_addresses(definition);
    if (definition.socket_path) result["SocketPath"] = *definition.socket_path;
    return result;
}

bj::object agent_service_detail_json(const RegisteredService& service) {
    auto result = agent_service_json(service);
    result["ContentHash"] = content_hash(bj::serialize(result));
    return result;
}

bj::object check_json(const RegistryState& registry, const RegisteredCheck& check) {
    const auto& definition = check.definition;
    const auto* owner = registry.service(definition.service_id);
    return {{"Node", kNodeName},
            {"CheckID", definition.id},
            {"Name", definition.name},
            {"Status", name(check.status)},
            {"Notes", definition.notes},
            {"Output", check.output},
            {"ServiceID", definition.service_id},
            {"ServiceName", check.service_name},
            {"ServiceTags", owner ? strings(owner->definition.tags) : bj::array()},
            {"Type", name(definition.type)},
            {"Interval", probe_duration(definition, definition.interval)},
            {"Timeout", probe_duration(definition, definition.timeout)},
            {"ExposedPort", 0},
            {"Definition", bj::object()}, // Consul fills it for checks of the catalogue only
            {"CreateIndex", check.create_index},
            {"ModifyIndex", check.modify_index}};
}

bj::object agent_check_json(const RegistryState& registry, const RegisteredCheck& check) {
    auto result = check_json(registry, check);
    result["CreateIndex"] = result["ModifyIndex"] = 0;
    return result;
}

std::map<std::string, bj::object, std::less<>> all_checks(const RegistryState& registry) {
    std::map<std::string, bj::object, std::less<>> result;
    for (const auto& [id, check] : registry.checks())
        result.emplace(id, check_json(registry, check));
    result.emplace(kNodeCheck, node_check_json());
    return result;
}

bj::object node_check_json() {
    return {{"Node", kNodeName},
            {"CheckID", kNodeCheck},
            {"Name", "Serf Health Status"},
            {"Status", "passing"},
            {"Notes", ""},
            {"Output", "Agent alive and reachable"},
            {"ServiceID", ""},
            {"ServiceName", ""},
            {"ServiceTags", bj::array()},
            {"Type", ""},
            {"Interval", ""},
            {"Timeout", ""},
            {"ExposedPort", 0},
            {"Definition", bj::object()},
            {"CreateIndex", 1},
            {"ModifyIndex", 1}};
}

bj::object service_json(const RegisteredService& service) {
    const auto& definition = service.definition;
    bj::object result{{"ID", definition.id},
                      {"Service", definition.name},
                      {"Tags", strings(definition.tags)},
                      {"Address", definition.address}};
    if (!definition.tagged_addresses.empty()) result["TaggedAddresses"] = tagged_addresses(definition);
    result["Meta"] = definition.meta.empty() ? bj::value(nullptr) : bj::value(meta(definition.meta));
    if (definition.port != 0) result["Port"] = definition.port;
    if (definition.socket_path) result["SocketPath"] = *definition.socket_path;
    result["Weights"] = weights(definition);
    result["EnableTagOverride"] = definition.enable_tag_override;
    result["Proxy"] = no_proxy();
    result["Connect"] = bj::object();
    result["PeerName"] = "";
    result["CreateIndex"] = service.create_index;
    result["ModifyIndex"] = service.modify_index;
    return result;
}

bj::object health_json(const Node& node, const RegistryState& registry, const RegisteredService& service) {
    // The node's by id, its own among them, then the service's.
    bj::array checks;
    bool listed = false;
    const auto list_own = [&] {
        if (!std::exchange(listed, true)) checks.push_back(node_check_json());
    };
    for (const auto* check : registry.checks_of(service.definition.id)) {
        if (!check->definition.service_id.empty() || check->definition.id > kNodeCheck) list_own();
        checks.push_back(check_json(registry, *check));
    }
    list_own();
    return {{"Node", node_json(node)}, {"Service", service_json(service)}, {"Checks", std::move(checks)}};
}

bj::object catalog_service_json(const Node& node, const RegisteredService& service) {
    const auto& definition = service.definition;
    bj::object result{{"ID", node.id},
                      {"Node", kNodeName},
                      {"Address", kNodeAddress},
                      {"Datacenter", kDatacenter},
                      {"TaggedAddresses", node_addresses()},
                      {"NodeMeta", meta(node_meta())},
                      {"ServiceKind", ""},
                      {"ServiceID", definition.id},
                      {"ServiceName", definition.name},
                      {"ServiceTags", strings(definition.tags)},
                      {"ServiceAddress", definition.address}};
    if (!definition.tagged_addresses.empty()) result["ServiceTaggedAddresses"] = tagged_addresses(definition);
    result["ServiceWeights"] = weights(definition);
    result["ServiceMeta"] = meta(definition.meta);
    result["ServicePort"] = definition.port;
    result["ServiceSocketPath"] = definition.socket_path.value_or("");
    result["ServiceEnableTagOverride"] = definition.enable_tag_override;
    result["ServiceProxy"] = no_proxy();
    result["ServiceConnect"] = bj::object();
    result["ServiceLocality"] = nullptr;
    result["CreateIndex"] = service.create_index;
    result["ModifyIndex"] = service.modify_index;
    return result;
}

bj::object kv_json(const KvEntry& entry) {
    bj::object result{{"LockIndex", entry.lock_index}, {"Key", entry.key}, {"Flags", entry.flags}};
    // As Consul: no value is null.
    result["Value"] = entry.value.empty() ? bj::value(nullptr) : bj::value(base64(entry.value));
    if (!entry.session.empty()) result["Session"] = entry.session;
    result["CreateIndex"] = entry.create_index;
    result["ModifyIndex"] = entry.modify_index;
    return result;
}

bj::object session_json(const Session& session) {
    bj::array service_checks;
    for (const auto& id : session.service_checks)
        service_checks.push_back(bj::object{{"ID", id}, {"Namespace", ""}});
    bj::object result{{"ID", session.id},
                      {"Name", session.name},
                      {"Node", session.node},
                      {"LockDelay", session.lock_delay.count()},
                      {"Behavior", session.behavior == SessionBehavior::delete_ ? "delete" : "release"},
                      {"TTL", session.ttl_text},
                      {"NodeChecks", strings(session.node_checks)},
                      {"ServiceChecks", service_checks.empty() ? bj::value(nullptr) : std::move(service_checks)}};
    if (!session.checks.empty()) result["Checks"] = strings(session.checks);
    result["CreateIndex"] = session.create_index;
    result["ModifyIndex"] = session.modify_index;
    return result;
}

bj::object member_json(const Node& node) {
    return {{"Name", kNodeName},
            {"Addr", kNodeAddress},
            {"Port", 8301},
            {"Tags", bj::object{{"acls", "0"},
                                {"build", std::string(kApiVersion) + ":"},
                                {"dc", kDatacenter},
                                {"id", node.id},
                                {"port", "8300"},
                                {"raft_vsn", "3"},
                                {"role", "consul"},
                                {"segment", ""},
                                {"vsn", "2"},
                                {"vsn_max", "3"},
                                {"vsn_min", "2"},
                                {"wan_join_port", "8302"}}},
            {"Status", 1},
            {"ProtocolMin", 1},
            {"ProtocolMax", 5},
            {"ProtocolCur", 2},
            {"DelegateMin", 2},
            {"DelegateMax", 5},
            {"DelegateCur", 4}};
}

bj::object self_json(const Node& node) {
    return {
        {"Config", bj::object{{"Datacenter", kDatacenter},
                              {"PrimaryDatacenter", kDatacenter},
                              {"NodeName", kNodeName},
                              {"NodeID", node.id},
                              {"Server", true},
                              {"Revision", ""},
                              {"Version", kApiVersion}}},
        {"DebugConfig", bj::object()},
        {"Coord",
         bj::object{
             {"Vec", bj::array{0, 0, 0, 0, 0, 0, 0, 0}}, {"Error", 1.5}, {"Adjustment", 0}, {"Height", 0.00001}}},
        {"Member", member_json(node)},
        {"Stats",
         bj::object{{"consul", bj::object{{"leader", "true"}, {"leader_addr", kServerAddress}, {"server", "true"}}}}},
        {"Meta", meta(node_meta())}};
}

} // namespace flotilla::hub::consul
