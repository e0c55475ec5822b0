#include "cli/fleet_file.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <yaml-cpp/yaml.h>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/service/text_file.hpp>

namespace flotilla::cli {
namespace {

using Names = std::set<std::string, std::less<>>;

/// Where and what; thrown inside this file only and turned into an Error by parse_fleet_file.
struct Mistake {
    YAML::Mark mark;
    std::string message;
};

void require_keys(const YAML::Node& map, const std::string& where, const Names& known) {
    if (!map.IsMap()) throw Mistake{map.Mark(), where + ": expected a map of " + *known.begin() + ", ..."};
    Names seen;
    for (const auto& entry : map) {
        const auto key = entry.first.as<std::string>();
        if (!seen.insert(key).second) throw Mistake{entry.first.Mark(), where + ": '" + key + "' is given twice"};
        if (known.contains(key)) continue;
        throw Mistake{entry.first.Mark(), where + ": unknown key '" + key + "'" + did_you_mean(key, known)};
    }
}

template <class T>
T read(const YAML::Node& node, const std::string& what, const char* expected) {
    try {
        if (node.IsScalar()) return node.as<T>();
    } catch (const YAML::BadConversion&) {
        // reported below, with the place
    }
    throw Mistake{node.Mark(),
                  what + ": expected " + expected + (node.IsScalar() ? ", found '" + node.Scalar() + "'" : "")};
}

std::uint16_t read_port(const YAML::Node& node, const std::string& what) {
    const auto port = read<int>(node, what, "a port, 1..65535");
    if (port < 1 || port > 65535)
        throw Mistake{node.Mark(), what + ": expected a port, 1..65535, found '" + node.Scalar() + "'"};
    return static_cast<std::uint16_t>(port);
}

int read_loops(const YAML::Node& node, const std::string& what) {
    const auto loops = read<int>(node, what, "a number of loops, 1..256");
    if (loops < 1 || loops > 256)
        throw Mistake{node.Mark(), what + ": expected a number of loops, 1..256, found '" + node.Scalar() + "'"};
    return loops;
}

/// It becomes a host name in the registry and a file name below the data folder.
bool is_service_name(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !name.empty() && name.size() <= 63 && name.front() != '-' && std::ranges::all_of(name, allowed);
}

ServiceEntry read_service(const std::string& name, const YAML::Node& node) {
    require_keys(node, name, {"port", "binary", "database", "loops", "settings"});
    ServiceEntry service{.name = name};
    if (!node["port"]) throw Mistake{node.Mark(), name + ": 'port' is missing"};
    service.port = read_port(node["port"], name + ".port");
    if (node["binary"]) service.binary = read<std::string>(node["binary"], name + ".binary", "a path");
    if (node["database"]) service.database = read<std::string>(node["database"], name + ".database", "a URL");
    if (node["loops"]) service.loops = read_loops(node["loops"], name + ".loops");
    if (const auto settings = node["settings"]) {
        if (!settings.IsMap()) throw Mistake{settings.Mark(), name + ".settings: expected a map of name: value"};
        for (const auto& entry : settings) {
            const auto key = entry.first.as<std::string>();
            service.settings[key] = read<std::string>(entry.second, name + ".settings." + key, "a value");
        }
    }
    return service;
}

class UniqueValues {
public:
    explicit UniqueValues(std::string what) : what_(std::move(what)) {}
    void add(const std::string& value, const std::string& owner, const YAML::Mark& mark) {
        const auto [known, fresh] = owners_.emplace(value, owner);
        if (!fresh)
            throw Mistake{mark, owner + " and " + known->second + " are both given " + what_ + " " + value +
                                    "; each needs its own"};
    }

private:
    std::string what_;
    std::map<std::string, std::string> owners_;
};

FleetFile read_document(const YAML::Node& root, const std::filesystem::path& path) {
    require_keys(root, path.filename().string(), {"name", "hub", "gateway", "services", "try"});
    FleetFile fleet{.path = path.string()};
    UniqueValues ports("port"), databases("database");
    if (root["name"]) fleet.name = read<std::string>(root["name"], "name", "a name");
    if (root["try"]) fleet.try_it = read<std::string>(root["try"], "try", "a command");
    if (const auto hub = root["hub"]) {
        require_keys(hub, "hub", {"http", "bus", "smtp"});
        if (hub["http"]) fleet.hub_http = read_port(hub["http"], "hub.http");
        if (hub["bus"]) fleet.hub_bus = read_port(hub["bus"], "hub.bus");
        if (hub["smtp"]) fleet.hub_smtp = read_port(hub["smtp"], "hub.smtp");
    }
    ports.add(std::to_string(fleet.hub_http), "hub.http", root.Mark());
    ports.add(std::to_string(fleet.hub_bus), "hub.bus", root.Mark());
    ports.add(std::to_string(fleet.hub_smtp), "hub.smtp", root.Mark());
    if (const auto gateway = root["gateway"]) {
        require_keys(gateway, "gateway", {"port", "config", "loops"});
        if (gateway["port"]) fleet.gateway_port = read_port(gateway["port"], "gateway.port");
        if (gateway["loops"]) fleet.gateway_loops = read_loops(gateway["loops"], "gateway.loops");
        const auto config =
            gateway["config"] ? read<std::string>(gateway["config"], "gateway.config", "a path") : "gateway.yaml";
        fleet.gateway_config = (path.parent_path() / config).string();
        ports.add(std::to_string(fleet.gateway_port), "gateway", gateway.Mark());
    }
    if (const auto services = root["services"]) {
        if (!services.IsMap()) throw Mistake{services.Mark(), "services: expected a map of services by name"};
        Names names;
        for (const auto& entry : services) {
            const auto name = entry.first.as<std::string>();
            if (!is_service_name(name)) {
                throw Mistake{entry.first.Mark(),
                              "services: expected a name of letters, digits and '-', 1..63, found '" + name + "'"};
            }
            if (!names.insert(name).second || name == "hub" || name == "gateway") {
                throw Mistake{entry.first.Mark(), "services: '" + name + "' is taken already"};
            }
            auto service = read_service(name, entry.second);
            ports.add(std::to_string(service.port), name, entry.second.Mark());
            if (!service.database.empty()) databases.add(service.database, name, entry.second["database"].Mark());
            fleet.services.push_back(std::move(service));
        }
    }
    return fleet;
}

} // namespace

Result<FleetFile> parse_fleet_file(const std::string& text, const std::string& path) {
    const auto absolute = std::filesystem::absolute(path);
    const auto place = [&](const YAML::Mark& mark) {
        return path + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": ";
    };
    try {
        const auto root = YAML::Load(text);
        // An empty document has no place to name.
        if (root.IsNull())
            return Error(Kind::invalid,
                         path + ": the file is empty; it describes a fleet: name, hub, gateway, services");
        return read_document(root, absolute);
    } catch (const Mistake& mistake) {
        return Error(Kind::invalid, place(mistake.mark) + mistake.message);
    } catch (const YAML::Exception& broken) {
        return Error(Kind::invalid, place(broken.mark) + broken.msg);
    }
}

Result<FleetFile> read_fleet_file(const std::string& path) {
    const auto text = read_text_file(path);
    if (!text) return Error(text.error().kind(), text.error().message() + "; a fleet is described by flotilla.yaml");
    return parse_fleet_file(*text, path);
}

} // namespace flotilla::cli
