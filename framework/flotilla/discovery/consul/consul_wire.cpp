#include <flotilla/discovery/consul/consul_wire.hpp>

#include <algorithm>
#include <cmath>

#include <flotilla/base/base64.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/discovery/instance_json.hpp>
#include <flotilla/discovery/json_members.hpp>
#include <flotilla/discovery/registry_errors.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

/// Consul removes an instance whose check stayed critical that long; it takes no less than a minute.
constexpr std::string_view kForgetAfter = "1m";
/// Consul's largest, in SRV answers.
constexpr double kWeightMax = 65535;

int whole_weight(double weight) { return static_cast<int>(std::clamp(std::round(weight), 1.0, kWeightMax)); }

Result<Instance> parse_instance(std::string_view service, const bj::value& value) {
    const auto* entry = value.if_object();
    const auto* found = object_at(entry, "Service");
    if (!found) return bad_answer(service, "has an entry without Service");
    Instance instance;
    instance.id = text_at(found, "ID");
    instance.service = service;
    // Consul: an empty service address stands for the node's.
    instance.address.host = text_at(found, "Address");
    if (instance.address.host.empty()) instance.address.host = text_at(object_at(entry, "Node"), "Address");
    const auto port = port_at(found, "Port");
    if (instance.id.empty() || instance.address.host.empty() || !port)
        return bad_answer(service, "has an instance without id, address or port");
    instance.address.port = *port;
    instance.weight = weight_at(object_at(found, "Weights"), "Passing"); // a stranger's; ours has the exact one
    instance.tags = texts_at(found, "Tags");
    take_metadata(instance, object_at(found, "Meta"));
    return instance;
}

} // namespace

std::string consul_duration(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + "ms";
}

std::string registration_body(const Instance& instance, Duration ttl) {
    bj::object metadata;
    for (const auto& [key, value] : metadata_of(instance))
        metadata[key] = value;
    const bj::value body{
        {"ID", instance.id},
        {"Name", instance.service},
        {"Tags", bj::array(instance.tags.begin(), instance.tags.end())},
        {"Address", instance.address.host},
        {"Port", instance.address.port},
        {"Meta", std::move(metadata)},
        {"Weights", {{"Passing", whole_weight(instance.weight)}, {"Warning", 1}}},
        {"Check",
         {{"CheckID", "service:" + instance.id},
          {"TTL", consul_duration(ttl)},
          {"Status", "passing"},
          {"DeregisterCriticalServiceAfter", kForgetAfter}}},
    };
    return bj::serialize(body);
}

Result<std::vector<Instance>> parse_health_answer(std::string_view service, std::string_view body) {
    auto parsed = json::parse_value(body);
    const auto* entries = parsed ? parsed->if_array() : nullptr;
    if (!entries) return bad_answer(service, "is not a JSON list");
    std::vector<Instance> instances;
    instances.reserve(entries->size());
    for (const auto& entry : *entries) {
        auto instance = parse_instance(service, entry);
        if (!instance) return std::move(instance.error());
        instances.push_back(std::move(*instance));
    }
    return instances;
}

Result<std::vector<KeyValue>> parse_key_values(std::string_view body) {
    const auto wrong = [](std::string_view what) { return bad_answer("a prefix of keys", what); };
    const auto parsed = json::parse_value(body);
    const auto* entries = parsed ? parsed->if_array() : nullptr;
    if (!entries) return wrong("is not a JSON list");
    std::vector<KeyValue> values;
    for (const auto& entry : *entries) {
        const auto* object = entry.if_object();
        auto key = text_at(object, "Key");
        auto value = parse_base64(text_at(object, "Value")); // null: empty
        if (key.empty() || !value) return wrong("has an entry without Key, or with a Value that is not base64");
        values.push_back({std::move(key), std::move(*value)});
    }
    return values;
}

} // namespace flotilla
