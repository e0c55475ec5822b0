#include <flotilla/discovery/eureka/eureka_wire.hpp>

#include <algorithm>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/discovery/instance_json.hpp>
#include <flotilla/discovery/json_members.hpp>
#include <flotilla/discovery/registry_errors.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

constexpr std::string_view kAll = "all applications"; ///< what bad_answer() calls what is no service
constexpr std::string_view kTags = "tags";            ///< in the metadata, joined by commas

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const auto& each : texts)
        all += (all.empty() ? "" : ",") + each;
    return all;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> texts;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        texts.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return texts;
}

/// A list, or its one element without a list around it, as older servers write it.
bj::array list_at(const bj::object* object, std::string_view key) {
    const auto* value = member(object, key);
    if (!value || value->is_null()) return {};
    if (const auto* list = value->if_array()) return *list;
    return {*value};
}

/// The port that is enabled: {"$": 3001, "@enabled": "true"}.
std::optional<std::uint16_t> enabled_port(const bj::object* instance) {
    const auto* port = object_at(instance, "port");
    if (text_at(port, "@enabled") == "false") return std::nullopt;
    return port_at(port, "$");
}

std::optional<Instance> read_eureka(const bj::object* object) {
    Instance instance;
    instance.id = text_at(object, "instanceId");
    if (instance.id.empty()) instance.id = text_at(object, "hostName"); // before instanceId was introduced
    instance.address.host = text_at(object, "ipAddr");
    if (instance.address.host.empty()) instance.address.host = text_at(object, "hostName");
    const auto port = enabled_port(object);
    if (instance.id.empty() || instance.address.host.empty() || !port) return std::nullopt;
    instance.address.port = *port;
    const auto* metadata = object_at(object, "metadata");
    take_metadata(instance, metadata);
    instance.tags = split(text_at(metadata, kTags));
    return instance;
}

} // namespace

std::string eureka_app(std::string_view service) { return ascii_upper(service); }

std::string eureka_registration(const Instance& instance, Duration ttl) {
    const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(ttl).count());
    bj::object metadata;
    for (const auto& [key, value] : metadata_of(instance))
        metadata[key] = value;
    metadata[kTags] = joined(instance.tags);
    const bj::object body{
        {"instance",
         {{"instanceId", instance.id},
          {"app", eureka_app(instance.service)},
          {"vipAddress", instance.service},
          {"hostName", instance.address.host},
          {"ipAddr", instance.address.host},
          {"status", "UP"},
          {"port", {{"$", instance.address.port}, {"@enabled", "true"}}},
          {"securePort", {{"$", 443}, {"@enabled", "false"}}},
          {"dataCenterInfo", {{"@class", "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"}, {"name", "MyOwn"}}},
          {"leaseInfo",
           {{"renewalIntervalInSecs", std::max<std::int64_t>(1, seconds / 3)}, {"durationInSecs", seconds}}},
          {"metadata", std::move(metadata)}}}};
    return bj::serialize(body);
}

Result<void> EurekaApps::apply(Apps& apps, const bj::object& applications, bool delta) {
    for (const auto& entry : list_at(&applications, "application")) {
        const auto* application = entry.if_object();
        const auto name = eureka_app(text_at(application, "name"));
        if (name.empty()) return bad_answer(kAll, "has an application without a name");
        for (const auto& each : list_at(application, "instance")) {
            const auto* object = each.if_object();
            auto instance = read_eureka(object);
            // One that offers TLS only counts like the others, and is no instance for us.
            if (!instance) instance = Instance{.id = text_at(object, "instanceId")};
            if (instance->id.empty()) return bad_answer(kAll, "has an instance of " + name + " without an id");
            if (delta && text_at(object, "actionType") == "DELETED") {
                apps[name].erase(instance->id);
                continue;
            }
            const auto id = instance->id;
            apps[name][id] = {std::move(*instance), text_at(object, "status")};
        }
    }
    return {};
}

Result<void> EurekaApps::take_all(std::string_view body) {
    const auto parsed = json::parse_value(body);
    const auto* applications = parsed ? object_at(parsed->if_object(), "applications") : nullptr;
    if (!applications) return bad_answer(kAll, "has no applications");
    Apps apps;
    if (auto applied = apply(apps, *applications, false); !applied) return applied;
    apps_ = std::move(apps);
    return {};
}

Result<bool> EurekaApps::take_delta(std::string_view body) {
    const auto parsed = json::parse_value(body);
    const auto* applications = parsed ? object_at(parsed->if_object(), "applications") : nullptr;
    if (!applications) return bad_answer(kAll, "has no applications");
    if (auto applied = apply(apps_, *applications, true); !applied) return std::move(applied.error());
    return hash_code() == text_at(applications, "apps__hashcode");
}

std::vector<Instance> EurekaApps::instances_of(std::string_view service) const {
    std::vector<Instance> list;
    const auto app = apps_.find(eureka_app(service));
    if (app == apps_.end()) return list;
    for (const auto& [id, known] : app->second) {
        if (known.status != "UP" || known.instance.address.port == 0) continue;
        list.push_back(known.instance);
        list.back().service = service;
    }
    return list;
}

std::string EurekaApps::hash_code() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& [name, app] : apps_) {
        for (const auto& [id, known] : app)
            ++counts[known.status];
    }
    std::string code;
    for (const auto& [status, count] : counts)
        code += status + "_" + std::to_string(count) + "_";
    return code;
}

} // namespace flotilla
