#include <flotilla/discovery/consul_wire.hpp>

#include <algorithm>
#include <limits>

#include <boost/json.hpp>

#include <flotilla/base/json_value.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

/// Consul removes an instance whose check stayed critical that long; it takes no less than a minute.
constexpr std::string_view kForgetAfter = "1m";

std::string_view view(const bj::string& text) { return {text.data(), text.size()}; }

const bj::object* object_at(const bj::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value ? value->if_object() : nullptr;
}

/// The text member, or empty when it is absent or null.
std::string text_at(const bj::object* object, std::string_view key) {
    const auto* value = object ? object->if_contains(key) : nullptr;
    const auto* text = value ? value->if_string() : nullptr;
    return text ? std::string(view(*text)) : std::string();
}

std::optional<std::uint16_t> port_at(const bj::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (!value || !value->is_number()) return std::nullopt;
    bj::error_code failed;
    const auto port = value->to_number<std::int64_t>(failed);
    if (failed || port < 1 || port > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
    return static_cast<std::uint16_t>(port);
}

Result<Instance> parse_instance(std::string_view service, const bj::value& value) {
    const auto garbage = [&](std::string_view what) {
        return Error(Kind::bad_gateway, "bad_registry_answer",
                     "the registry's answer for " + std::string(service) + " has " + std::string(what));
    };
    const auto* entry = value.if_object();
    const auto* found = entry ? object_at(*entry, "Service") : nullptr;
    if (!found) return garbage("an entry without Service");
    const auto* meta = object_at(*found, "Meta");
    Instance instance;
    instance.id = text_at(found, "ID");
    instance.service = service;
    // Consul: an empty service address stands for the node's.
    instance.address.host = text_at(found, "Address");
    if (instance.address.host.empty()) instance.address.host = text_at(object_at(*entry, "Node"), "Address");
    const auto port = port_at(*found, "Port");
    if (instance.id.empty() || instance.address.host.empty() || !port)
        return garbage("an instance without id, address or port");
    instance.address.port = *port;
    instance.unix_socket = text_at(meta, "unix_socket");
    instance.host = text_at(meta, "host");
    instance.version = text_at(meta, "version");
    return instance;
}

bj::value to_json(const Instance& instance) {
    return {{"id", instance.id},
            {"host", instance.address.host},
            {"port", instance.address.port},
            {"unixSocket", instance.unix_socket},
            {"machine", instance.host},
            {"version", instance.version}};
}

std::optional<Instance> from_json(const std::string& service, const bj::value& value) {
    const auto* object = value.if_object();
    if (!object) return std::nullopt;
    const auto port = port_at(*object, "port");
    Instance instance{text_at(object, "id"),
                      service,
                      Address::tcp(text_at(object, "host"), port.value_or(0)),
                      text_at(object, "unixSocket"),
                      text_at(object, "machine"),
                      text_at(object, "version")};
    if (instance.id.empty() || !port) return std::nullopt;
    return instance;
}

} // namespace

std::string consul_duration(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + "ms";
}

std::string registration_body(const Registration& registration) {
    const auto& instance = registration.instance;
    const bj::value body{
        {"ID", instance.id},
        {"Name", instance.service},
        {"Address", instance.address.host},
        {"Port", instance.address.port},
        {"Meta",
         {{"unix_socket", instance.unix_socket},
          {"host", instance.host},
          {"version", instance.version},
          {"incarnation", registration.incarnation}}},
        {"Check",
         {{"CheckID", "service:" + instance.id},
          {"TTL", consul_duration(registration.ttl)},
          {"Status", "passing"},
          {"DeregisterCriticalServiceAfter", kForgetAfter}}},
    };
    return bj::serialize(body);
}

Result<std::vector<Instance>> parse_health_answer(std::string_view service, std::string_view body) {
    auto parsed = json::parse_value(body);
    const auto* entries = parsed ? parsed->if_array() : nullptr;
    if (!entries) {
        return Error(Kind::bad_gateway, "bad_registry_answer",
                     "the registry's answer for " + std::string(service) + " is not a JSON list");
    }
    std::vector<Instance> instances;
    instances.reserve(entries->size());
    for (const auto& entry : *entries) {
        auto instance = parse_instance(service, entry);
        if (!instance) return std::move(instance.error());
        instances.push_back(std::move(*instance));
    }
    std::ranges::sort(instances, {}, &Instance::id);
    return instances;
}

std::string cache_text(const KnownInstances& known) {
    bj::object services;
    for (const auto& [service, instances] : known) {
        bj::array list;
        for (const auto& instance : *instances)
            list.push_back(to_json(instance));
        services[service] = std::move(list);
    }
    return bj::serialize(bj::value{{"services", std::move(services)}}) + "\n";
}

Result<KnownInstances> parse_cache(std::string_view text) {
    const Error damaged(Kind::invalid, "the registry's cache file is damaged");
    auto parsed = json::parse_value(text);
    const auto* root = parsed ? parsed->if_object() : nullptr;
    const auto* services = root ? object_at(*root, "services") : nullptr;
    if (!services) return damaged;
    KnownInstances known;
    for (const auto& [key, value] : *services) {
        const std::string service(key.data(), key.size());
        const auto* entries = value.if_array();
        if (!entries) return damaged;
        std::vector<Instance> list;
        for (const auto& entry : *entries) {
            auto instance = from_json(service, entry);
            if (!instance) return damaged;
            list.push_back(std::move(*instance));
        }
        known[service] = std::make_shared<const std::vector<Instance>>(std::move(list));
    }
    return known;
}

} // namespace flotilla
