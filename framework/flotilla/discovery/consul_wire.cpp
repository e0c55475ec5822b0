#include <flotilla/discovery/consul_wire.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <boost/json.hpp>
#include <fmt/format.h>

#include <flotilla/base/json_value.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

/// Consul removes an instance whose check stayed critical that long; it takes no less than a minute.
constexpr std::string_view kForgetAfter = "1m";
/// Consul's largest, in SRV answers.
constexpr double kWeightMax = 65535;

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

std::vector<std::string> texts_at(const bj::object& object, std::string_view key) {
    std::vector<std::string> texts;
    const auto* value = object.if_contains(key);
    const auto* list = value ? value->if_array() : nullptr;
    if (!list) return texts;
    for (const auto& each : *list) {
        if (const auto* text = each.if_string()) texts.emplace_back(view(*text));
    }
    return texts;
}

/// A weight that is none counts as 1: a stranger's mistake takes no instance away.
double valid_weight(double weight) { return std::isfinite(weight) && weight > 0 ? weight : 1; }

double number_at(const bj::object* object, std::string_view key) {
    const auto* value = object ? object->if_contains(key) : nullptr;
    if (!value || !value->is_number()) return 1;
    return valid_weight(value->to_number<double>());
}

/// Ours, exactly, from the metadata; a stranger's from Consul's own field.
double weight_of(const bj::object& service, const bj::object* meta) {
    const auto text = text_at(meta, "weight");
    double weight = 1;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), weight);
    if (failed == std::errc() && end == text.data() + text.size()) return valid_weight(weight);
    return number_at(object_at(service, "Weights"), "Passing");
}

int whole_weight(double weight) { return static_cast<int>(std::clamp(std::round(weight), 1.0, kWeightMax)); }

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
    instance.incarnation = text_at(meta, "incarnation");
    instance.zone = text_at(meta, "zone");
    instance.weight = weight_of(*found, meta);
    instance.tags = texts_at(*found, "Tags");
    instance.contract_url = text_at(meta, "contract_url");
    return instance;
}

bj::value to_json(const Instance& instance) {
    return {{"id", instance.id},
            {"host", instance.address.host},
            {"port", instance.address.port},
            {"unixSocket", instance.unix_socket},
            {"machine", instance.host},
            {"version", instance.version},
            {"incarnation", instance.incarnation},
            {"zone", instance.zone},
            {"weight", instance.weight},
            {"tags", bj::array(instance.tags.begin(), instance.tags.end())},
            {"contractUrl", instance.contract_url}};
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
                      text_at(object, "version"),
                      text_at(object, "incarnation"),
                      text_at(object, "zone"),
                      number_at(object, "weight"),
                      texts_at(*object, "tags"),
                      text_at(object, "contractUrl")};
    if (instance.id.empty() || !port) return std::nullopt;
    return instance;
}

} // namespace

std::string consul_duration(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + "ms";
}

std::string registration_body(const Instance& instance, Duration ttl) {
    const bj::value body{
        {"ID", instance.id},
        {"Name", instance.service},
        {"Tags", bj::array(instance.tags.begin(), instance.tags.end())},
        {"Address", instance.address.host},
        {"Port", instance.address.port},
        {"Meta",
         {{"unix_socket", instance.unix_socket},
          {"host", instance.host},
          {"version", instance.version},
          {"incarnation", instance.incarnation},
          {"zone", instance.zone},
          {"weight", fmt::format("{}", instance.weight)},
          {"contract_url", instance.contract_url}}},
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
