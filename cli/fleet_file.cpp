#include "cli/fleet_file.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <span>

#include <yaml-cpp/yaml.h>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/node/text_file.hpp>
#include <flotilla/resilience/target_yaml.hpp>

namespace flotilla::cli {
namespace {

using Names = std::set<std::string, std::less<>>;

/// Where and what; thrown inside this file only and turned into an Error by parse_fleet_file.
struct Mistake {
    YAML::Mark mark;
    std::string message;
};

/// A key that a map may have, and what becomes of its value.
struct Member {
    std::string_view key;
    std::function<void(const YAML::Node& value)> read;
};

/// Reads the members that a map has, in the order given here.
void read_map(const YAML::Node& map, const std::string& where, const std::vector<Member>& members) {
    if (!map.IsMap())
        throw Mistake{map.Mark(), where + ": expected a map of " + std::string(members.front().key) + ", ..."};
    Names known, seen;
    for (const auto& member : members)
        known.emplace(member.key);
    for (const auto& entry : map) {
        const auto key = entry.first.as<std::string>();
        if (!seen.insert(key).second) throw Mistake{entry.first.Mark(), where + ": '" + key + "' is given twice"};
        if (!known.contains(key))
            throw Mistake{entry.first.Mark(), where + ": unknown key '" + key + "'" + did_you_mean(key, known)};
    }
    for (const auto& member : members) {
        if (const auto value = map[std::string(member.key)]) member.read(value);
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

int read_instances(const YAML::Node& node, const std::string& what) {
    const auto instances = read<int>(node, what, "a number of instances, 1..64");
    if (instances < 1 || instances > 64)
        throw Mistake{node.Mark(), what + ": expected a number of instances, 1..64, found '" + node.Scalar() + "'"};
    return instances;
}

std::string read_weight(const YAML::Node& node, const std::string& what) {
    const auto weight = read<double>(node, what, "a number, 0.01..1000");
    if (weight >= 0.01 && weight <= 1000) return node.Scalar();
    throw Mistake{node.Mark(), what + ": expected a number, 0.01..1000, found '" + node.Scalar() + "'"};
}

/// A zone or a tag, which are words in flags and registries.
std::string read_word(const YAML::Node& node, const std::string& what) {
    auto word = read<std::string>(node, what, "a word");
    const auto is_part = [](char c) { return c > ' ' && c < '\x7f' && c != ','; };
    if (!word.empty() && word.front() != '-' && std::ranges::all_of(word, is_part)) return word;
    throw Mistake{node.Mark(), what + ": expected a word without spaces and ',', found '" + word + "'"};
}

std::vector<std::string> read_tags(const YAML::Node& node, const std::string& what) {
    if (!node.IsSequence()) throw Mistake{node.Mark(), what + ": expected a list of words"};
    std::vector<std::string> tags;
    for (const auto& tag : node)
        tags.push_back(read_word(tag, what));
    return tags;
}

/// It becomes a host name in the registry and a file name below the data folder.
bool is_service_name(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !name.empty() && name.size() <= 63 && name.front() != '-' && std::ranges::all_of(name, allowed);
}

std::map<std::string, std::string> read_settings(const YAML::Node& node, const std::string& what) {
    if (!node.IsMap()) throw Mistake{node.Mark(), what + ": expected a map of name: value"};
    std::map<std::string, std::string> settings;
    for (const auto& entry : node) {
        const auto key = entry.first.as<std::string>();
        settings[key] = read<std::string>(entry.second, what + "." + key, "a value");
    }
    return settings;
}

ServiceEntry read_service(const std::string& name, const YAML::Node& node) {
    ServiceEntry service{.name = name};
    read_map(
        node, name,
        {{"port", [&](auto& value) { service.port = read_port(value, name + ".port"); }},
         {"binary", [&](auto& value) { service.binary = read<std::string>(value, name + ".binary", "a path"); }},
         {"database", [&](auto& value) { service.database = read<std::string>(value, name + ".database", "a URL"); }},
         {"loops", [&](auto& value) { service.loops = read_loops(value, name + ".loops"); }},
         {"instances", [&](auto& value) { service.instances = read_instances(value, name + ".instances"); }},
         {"zone", [&](auto& value) { service.registration.zone = read_word(value, name + ".zone"); }},
         {"weight", [&](auto& value) { service.registration.weight = read_weight(value, name + ".weight"); }},
         {"tags", [&](auto& value) { service.registration.tags = read_tags(value, name + ".tags"); }},
         {"settings", [&](auto& value) { service.settings = read_settings(value, name + ".settings"); }},
         {"targets", [](auto&) {}}}); // when all services are known: read_targets_of_all()
    if (!node["port"]) throw Mistake{node.Mark(), name + ": 'port' is missing"};
    if (service.instances > 1 && service.database.starts_with("sqlite::memory:"))
        throw Mistake{node["database"].Mark(), name + ": a database in memory cannot be shared by its instances"};
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

/// Reads the document; each port and database may be had once.
class FleetReader {
public:
    explicit FleetReader(const std::filesystem::path& path)
        : folder_(path.parent_path()), file_name_(path.filename().string()), fleet_{.path = path.string()} {}

    FleetFile read_document(const YAML::Node& root) {
        read_map(root, file_name_,
                 {{"name", [&](auto& value) { fleet_.name = read<std::string>(value, "name", "a name"); }},
                  {"try", [&](auto& value) { fleet_.try_it = read<std::string>(value, "try", "a command"); }},
                  {"hub", [&](auto& value) { read_hub(value); }},
                  {"gateway", [&](auto& value) { read_gateway(value); }},
                  {"services", [&](auto& value) { read_services(value); }},
                  {"targets", [&](auto& value) { read_targets_of_all(value, "targets", fleet_.services); }}});
        for (auto& service : fleet_.services) {
            const auto own = root["services"][service.name]["targets"];
            if (!own) continue;
            const auto what = "services." + service.name + ".targets";
            read_targets_of_all(own, what, std::span(&service, 1));
            if (auto fit = service.targets.check(); !fit) // with what is said of all
                throw Mistake{own.Mark(), what + "." + fit.error().message()};
        }
        claim(root);
        return std::move(fleet_);
    }

private:
    void read_hub(const YAML::Node& node) {
        read_map(node, "hub",
                 {{"http", [&](auto& value) { fleet_.hub_http = read_port(value, "hub.http"); }},
                  {"bus", [&](auto& value) { fleet_.hub_bus = read_port(value, "hub.bus"); }},
                  {"smtp", [&](auto& value) { fleet_.hub_smtp = read_port(value, "hub.smtp"); }}});
    }

    void read_gateway(const YAML::Node& node) {
        std::string config = "gateway.yaml";
        read_map(node, "gateway",
                 {{"port", [&](auto& value) { fleet_.gateway_port = read_port(value, "gateway.port"); }},
                  {"config", [&](auto& value) { config = read<std::string>(value, "gateway.config", "a path"); }},
                  {"loops", [&](auto& value) { fleet_.gateway_loops = read_loops(value, "gateway.loops"); }},
                  {"zone", [&](auto& value) { fleet_.gateway_zone = read_word(value, "gateway.zone"); }}});
        fleet_.gateway_config = (folder_ / config).string();
    }

    void read_services(const YAML::Node& node) {
        if (!node.IsMap()) throw Mistake{node.Mark(), "services: expected a map of services by name"};
        Names names;
        for (const auto& entry : node) {
            const auto name = entry.first.as<std::string>();
            if (!is_service_name(name)) {
                throw Mistake{entry.first.Mark(),
                              "services: expected a name of letters, digits and '-', 1..63, found '" + name + "'"};
            }
            if (!names.insert(name).second || name == "hub" || name == "gateway") {
                throw Mistake{entry.first.Mark(), "services: '" + name + "' is taken already"};
            }
            fleet_.services.push_back(read_service(name, entry.second));
        }
    }

    /// The place is told without the line: an instance whose arguments change is started anew.
    void read_targets_of_all(const YAML::Node& node, const std::string& what, std::span<ServiceEntry> callers) {
        std::vector<std::string> names;
        for (const auto& service : fleet_.services)
            names.push_back(service.name);
        const TargetsReading reading{
            .what = what,
            .known = std::move(names),
            .source = [&](const YAML::Node&) { return file_name_ + ": " + what; },
            .fail = [](const YAML::Node& at, std::string message) { throw Mistake{at.Mark(), std::move(message)}; }};
        for (auto& caller : callers)
            read_targets(node, reading, caller.targets);
    }

    /// Of two that want the same, the later one in the file is the mistake.
    void claim(const YAML::Node& root) {
        UniqueValues ports("port"), databases("database");
        ports.add(std::to_string(fleet_.hub_http), "hub.http", root.Mark());
        ports.add(std::to_string(fleet_.hub_bus), "hub.bus", root.Mark());
        ports.add(std::to_string(fleet_.hub_smtp), "hub.smtp", root.Mark());
        if (!fleet_.gateway_config.empty())
            ports.add(std::to_string(fleet_.gateway_port), "gateway", root["gateway"].Mark());
        for (const auto& service : fleet_.services) {
            const auto node = root["services"][service.name];
            for (int number = 1; number <= service.instances; ++number)
                ports.add(std::to_string(instance_port(service, number)), instance_name(service, number), node.Mark());
            if (!service.database.empty()) databases.add(service.database, service.name, node["database"].Mark());
        }
    }

    std::filesystem::path folder_;
    std::string file_name_;
    FleetFile fleet_;
};

} // namespace

int instance_port(const ServiceEntry& service, int instance) { return service.port + (instance - 1) * kInstancePorts; }

std::string instance_name(const ServiceEntry& service, int instance) {
    return service.instances == 1 ? service.name : service.name + "." + std::to_string(instance);
}

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
        return FleetReader(absolute).read_document(root);
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
