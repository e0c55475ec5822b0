#include "hub/consul/shapes.hpp"

#include <array>

#include <fmt/format.h>

#include "hub/consul/go_duration.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

/// Where Consul's server would listen for other servers; clients only compare and show it.
constexpr std::string_view kServerAddress = "127.0.0.1:8300";
/// The version of Consul whose API this speaks; some clients choose by it.
constexpr std::string_view kApiVersion = "1.20.0";

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

bj::object definition_json(const CheckDefinition& check) {
    bj::object result;
    if (!check.http.empty()) result["HTTP"] = check.http;
    if (!check.tcp.empty()) result["TCP"] = check.tcp;
    if (check.interval > Duration::zero()) result["Interval"] = go_text(check.interval);
    if (check.timeout > Duration::zero()) result["Timeout"] = go_text(check.timeout);
    if (check.deregister_after > Duration::zero())
        result["DeregisterCriticalServiceAfter"] = go_text(check.deregister_after);
    return result;
}

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
            {"Interval", definition.interval > Duration::zero() ? go_text(definition.interval) : ""},
            {"Timeout", definition.timeout > Duration::zero() ? go_text(definition.timeout) : ""},
            {"ExposedPort", 0},
            {"Definition", definition_json(definition)},
            {"CreateIndex", check.create_index},
            {"ModifyIndex", check.modify_index}};
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
    return {{"ID", definition.id},
            {"Service", definition.name},
            {"Tags", strings(definition.tags)},
            {"Address", definition.address},
            {"TaggedAddresses", tagged_addresses(definition)},
            {"Meta", meta(definition.meta)},
            {"Port", definition.port},
            {"Weights", weights(definition)},
            {"EnableTagOverride", definition.enable_tag_override},
            {"Proxy", bj::object{{"Mode", ""}, {"MeshGateway", bj::object()}, {"Expose", bj::object()}}},
            {"Connect", bj::object()},
            {"PeerName", ""},
            {"CreateIndex", service.create_index},
            {"ModifyIndex", service.modify_index}};
}

bj::object health_json(const Node& node, const RegistryState& registry, const RegisteredService& service) {
    bj::array checks;
    checks.push_back(node_check_json());
    for (const auto* check : registry.checks_of(service.definition.id))
        checks.push_back(check_json(registry, *check));
    return {{"Node", node_json(node)}, {"Service", service_json(service)}, {"Checks", std::move(checks)}};
}

bj::object catalog_service_json(const Node& node, const RegisteredService& service) {
    const auto& definition = service.definition;
    return {{"ID", node.id},
            {"Node", kNodeName},
            {"Address", kNodeAddress},
            {"Datacenter", kDatacenter},
            {"TaggedAddresses", node_addresses()},
            {"NodeMeta", meta(node_meta())},
            {"ServiceKind", ""},
            {"ServiceID", definition.id},
            {"ServiceName", definition.name},
            {"ServiceTags", strings(definition.tags)},
            {"ServiceAddress", definition.address},
            {"ServiceTaggedAddresses", tagged_addresses(definition)},
            {"ServiceWeights", weights(definition)},
            {"ServiceMeta", meta(definition.meta)},
            {"ServicePort", definition.port},
            {"ServiceSocketPath", ""},
            {"ServiceEnableTagOverride", definition.enable_tag_override},
            {"ServiceProxy", bj::object{{"Mode", ""}, {"MeshGateway", bj::object()}, {"Expose", bj::object()}}},
            {"ServiceConnect", bj::object()},
            {"ServicePeerName", ""},
            {"CreateIndex", service.create_index},
            {"ModifyIndex", service.modify_index}};
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
    return {{"ID", session.id},
            {"Name", session.name},
            {"Node", session.node},
            {"LockDelay", session.lock_delay.count()},
            {"Behavior", session.behavior == SessionBehavior::delete_ ? "delete" : "release"},
            {"TTL", session.ttl_text},
            {"NodeChecks", strings(session.checks)},
            {"ServiceChecks", nullptr},
            {"Checks", strings(session.checks)}, // the name before 1.7, which older clients read
            {"CreateIndex", session.create_index},
            {"ModifyIndex", session.modify_index}};
}

bj::object member_json(const Node& node) {
    return {{"Name", kNodeName},
            {"Addr", kNodeAddress},
            {"Port", 8301},
            {"Tags",
             bj::object{
                 {"role", "consul"}, {"dc", kDatacenter}, {"id", node.id}, {"port", "8300"}, {"build", kApiVersion}}},
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

std::string base64(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        const auto count = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t k = 0; k < 3; ++k)
            group = (group << 8) | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            out += k <= count ? kAlphabet[(group >> (18 - 6 * k)) & 63] : '=';
    }
    return out;
}

std::optional<std::string> parse_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const auto padding = text.ends_with("==") ? 2u : text.ends_with('=') ? 1u : 0u;
    std::string out;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = i >= text.size() - padding ? 0 : kAlphabet.find(text[i]);
        if (digit == std::string_view::npos) return std::nullopt;
        group = (group << 6) | static_cast<std::uint32_t>(digit);
        if (i % 4 != 3) continue;
        for (int shift = 16; shift >= 0; shift -= 8)
            out += static_cast<char>((group >> shift) & 0xff);
        group = 0;
    }
    out.resize(out.size() - padding);
    return out;
}

} // namespace flotilla::hub::consul
