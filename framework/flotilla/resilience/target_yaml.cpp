#include <flotilla/resilience/target_yaml.hpp>

#include <algorithm>

#include <yaml-cpp/yaml.h>

namespace flotilla {
namespace {

class TargetsReader {
public:
    TargetsReader(const TargetsReading& reading, TargetConfiguration& into) : reading_(reading), into_(into) {}

    void read(const YAML::Node& targets) {
        if (!targets.IsMap()) {
            reading_.fail(targets, reading_.what + " must be a map of services, or \"*\" for all, and their options");
            return;
        }
        std::vector<std::string> seen;
        for (const auto& entry : targets) {
            const auto service = name_of(entry.first, seen, reading_.what);
            if (service.empty()) continue;
            const auto where = reading_.what + "." + service;
            if (auto known = check_target_name(service, reading_.known); !known) {
                reading_.fail(entry.first, reading_.what + ": " + known.error().message());
                continue;
            }
            read_target(entry.second, service, where);
        }
    }

private:
    void read_target(const YAML::Node& options, const std::string& service, const std::string& where) {
        std::vector<std::string> keys;
        read_options(options, {service, ""}, where, "", keys);
        const auto own = into_.options_of(service);
        auto fits = check_target_options(own);
        if (!fits) reading_.fail(options, where + ": " + fits.error().message());
        const auto endpoints = options.IsMap() ? options["endpoints"] : YAML::Node();
        if (!endpoints || !endpoints.IsMap()) return; // told
        for (const auto& entry : endpoints) {
            if (!entry.first.IsScalar()) continue; // told
            const auto& endpoint = entry.first.Scalar();
            fits = check_target_options(into_.options_of_endpoint(service, endpoint, own));
            if (!fits) reading_.fail(entry.second, where + ".endpoints." + endpoint + ": " + fits.error().message());
        }
    }

    void read_endpoints(const YAML::Node& endpoints, const std::string& service, const std::string& where) {
        if (!endpoints.IsMap()) {
            reading_.fail(endpoints,
                          where + " must be a map of endpoints, such as \"GET /users/{id}\", and their options");
            return;
        }
        std::vector<std::string> seen;
        for (const auto& entry : endpoints) {
            const auto endpoint = name_of(entry.first, seen, where);
            if (endpoint.empty()) continue;
            std::vector<std::string> keys;
            read_options(entry.second, {service, endpoint}, where + "." + endpoint, "", keys);
        }
    }

    /// Empty: told.
    std::string name_of(const YAML::Node& key, std::vector<std::string>& seen, const std::string& where,
                        const std::string& before = "") {
        if (!key.IsScalar()) {
            reading_.fail(key, "a key of " + where + " must be a name");
            return {};
        }
        auto name = before + key.Scalar();
        if (std::ranges::find(seen, name) != seen.end()) {
            reading_.fail(key, "'" + name + "' is given twice in " + where);
            return {};
        }
        seen.push_back(name);
        return name;
    }

    struct Callee {
        std::string service;
        std::string endpoint; ///< empty: all
    };

    /// group: "" at first, then "breaker."
    void read_options(const YAML::Node& options, const Callee& callee, const std::string& where,
                      const std::string& group, std::vector<std::string>& seen) {
        if (!options.IsMap()) {
            reading_.fail(options, where + " must be a map of options");
            return;
        }
        for (const auto& entry : options) {
            const auto key = name_of(entry.first, seen, where, group);
            if (key.empty()) continue;
            const auto& value = entry.second;
            if (key == "endpoints" && callee.endpoint.empty()) {
                read_endpoints(value, callee.service, where + ".endpoints");
            } else if (group.empty() && value.IsMap()) {
                read_options(value, callee, where, key + ".", seen);
            } else if (!value.IsScalar()) {
                reading_.fail(value, where + "." + key + " must be a value");
            } else {
                auto set = into_.set({callee.service, key, value.Scalar(), reading_.source(value), callee.endpoint});
                if (!set) reading_.fail(value, where + ": " + set.error().message());
            }
        }
    }

    const TargetsReading& reading_;
    TargetConfiguration& into_;
};

} // namespace

void read_targets(const YAML::Node& targets, const TargetsReading& reading, TargetConfiguration& into) {
    TargetsReader(reading, into).read(targets);
}

} // namespace flotilla
