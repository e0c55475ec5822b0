#include "gateway/core/config.hpp"

#include <algorithm>
#include <array>

#include <flotilla/node/text_file.hpp>

#include "gateway/core/path.hpp"
#include "gateway/core/yaml_reader.hpp"

namespace flotilla::gateway {

std::string Location::to_string() const { return file + ":" + std::to_string(line); }

namespace {

using Keys = std::span<const std::string_view>;

constexpr std::array<std::string_view, 5> kTopKeys{"routes", "compositions", "timeout", "access_log", "limits"};
constexpr std::array<std::string_view, 3> kMatchKeys{"host", "method", "path"};
constexpr std::array<std::string_view, 5> kRouteKeys{"match", "to", "rewrite", "timeout", "body_bytes_max"};
constexpr std::array<std::string_view, 4> kCompositionKeys{"match", "answer", "timeout", "on_failure"};
constexpr std::array<std::string_view, 3> kBranchKeys{"get", "required", "timeout"};
constexpr std::array<std::string_view, 2> kFailureKeys{"status", "error"};
constexpr std::array<std::string_view, 2> kAccessLogKeys{"sample", "slow"};
constexpr std::array<std::string_view, 2> kLimitKeys{"body_bytes_max", "composed_bytes_max"};
constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;

bool is_service_name(std::string_view name) {
    return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.';
    });
}

class ConfigReader {
public:
    explicit ConfigReader(std::string file) : yaml_(std::move(file)) {}

    Result<Config> read(const YAML::Node& root) {
        Config config;
        if (root.IsNull() || !root.IsDefined()) {
            yaml_.fail(root, "the configuration is empty; it needs at least 'routes'");
        } else {
            yaml_.map(root, "the configuration", kTopKeys,
                      [&](std::string_view key, const YAML::Node& value) { read_top(config, key, value); });
        }
        if (yaml_.problems().empty()) return config;
        std::string all;
        for (const auto& problem : yaml_.problems())
            all += (all.empty() ? "" : "\n") + problem;
        return Error(Kind::invalid, "invalid_configuration", std::move(all));
    }

private:
    void read_top(Config& config, std::string_view key, const YAML::Node& value) {
        if (key == "routes") {
            yaml_.list(value, "routes", [&](const YAML::Node& item) { config.routes.push_back(read_route(item)); });
        } else if (key == "compositions") {
            yaml_.list(value, "compositions",
                       [&](const YAML::Node& item) { config.compositions.push_back(read_composition(item)); });
        } else if (key == "timeout") {
            config.timeout = yaml_.duration(value, "timeout").value_or(config.timeout);
        } else if (key == "access_log") {
            yaml_.map(value, "access_log", kAccessLogKeys, [&](std::string_view name, const YAML::Node& node) {
                if (name == "slow") {
                    config.access_log_slow = read_slow(node).value_or(config.access_log_slow);
                } else if (auto n = yaml_.number(node, "sample", 0, 1'000'000)) {
                    config.access_log_sample = static_cast<std::uint32_t>(*n);
                }
            });
        } else {
            yaml_.map(value, "limits", kLimitKeys, [&](std::string_view name, const YAML::Node& bytes) {
                auto& limit = name == "body_bytes_max" ? config.body_bytes_max : config.composed_bytes_max;
                if (auto n = yaml_.number(bytes, name, 1, kBytesMax)) limit = *n;
            });
        }
    }

    std::optional<Duration> read_slow(const YAML::Node& node) {
        if (node.IsScalar() && node.Scalar() == "off") return Duration::zero();
        return yaml_.duration(node, "slow", ", or off");
    }

    Match read_match(const YAML::Node& node) {
        Match match;
        match.where = yaml_.where(node);
        yaml_.map(node, "match", kMatchKeys, [&](std::string_view key, const YAML::Node& value) {
            if (key == "host") {
                match.host = read_host(value);
            } else if (key == "method") {
                match.methods = read_methods(value);
            } else {
                match.paths = read_paths(value);
            }
        });
        if (node.IsMap() && !node["path"]) yaml_.fail(node, "a match needs a 'path'");
        return match;
    }

    std::string read_host(const YAML::Node& node) {
        auto host = yaml_.text(node, "host");
        std::ranges::transform(host, host.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
        if (host.find_first_of("/*: ") != std::string::npos) {
            yaml_.fail(node, "host must be one exact name without port, found '" + host + "'");
        }
        return host;
    }

    std::vector<std::string> read_methods(const YAML::Node& node) {
        auto methods = yaml_.texts(node, "method");
        for (const auto& method : methods) {
            if (std::ranges::find(kMethods, std::string_view(method)) != kMethods.end()) continue;
            yaml_.fail(node, "unknown method '" + method + "'" + suggestion(method, kMethods));
        }
        return methods;
    }

    std::vector<std::string> read_paths(const YAML::Node& node) {
        auto paths = yaml_.texts(node, "path");
        for (const auto& path : paths) {
            if (!path.empty() && path.front() != '/') yaml_.fail(node, "a path starts with '/', found '" + path + "'");
            if (own_page(path) != OwnPage::none) yaml_.fail(node, "'" + path + "' is the gateway's own path");
            if (path.contains("//")) {
                yaml_.fail(node, "repeated slashes count as one before a path is matched, found '" + path + "'");
            }
        }
        return paths;
    }

    std::string read_service(const YAML::Node& node, std::string name) {
        if (!name.empty() && !is_service_name(name)) {
            yaml_.fail(node, "a service name has letters, digits, '-', '_' and '.', found '" + name + "'");
        }
        return name;
    }

    RouteConfig read_route(const YAML::Node& node) {
        RouteConfig route;
        yaml_.map(node, "a route", kRouteKeys, [&](std::string_view key, const YAML::Node& value) {
            if (key == "match") {
                route.match = read_match(value);
            } else if (key == "to") {
                route.to = read_service(value, yaml_.text(value, "to"));
            } else if (key == "rewrite") {
                route.rewrite = yaml_.text(value, "rewrite");
                route.rewrite_where = yaml_.where(value);
                if (!route.rewrite->starts_with('/')) yaml_.fail(value, "rewrite must start with '/'");
            } else if (key == "timeout") {
                route.timeout = yaml_.duration(value, "timeout");
            } else {
                route.body_bytes_max = yaml_.number(value, "body_bytes_max", 1, kBytesMax);
            }
        });
        if (node.IsMap() && !node["match"]) yaml_.fail(node, "a route needs a 'match'");
        if (node.IsMap() && !node["to"]) yaml_.fail(node, "a route needs a service in 'to'");
        return route;
    }

    CompositionConfig read_composition(const YAML::Node& node) {
        CompositionConfig composition;
        yaml_.map(node, "a composition", kCompositionKeys, [&](std::string_view key, const YAML::Node& value) {
            if (key == "match") {
                composition.match = read_match(value);
                auto& methods = composition.match.methods;
                if (methods.empty()) methods = {"GET"};
                if (methods != std::vector<std::string>{"GET"}) yaml_.fail(value, "a composition answers only GET");
            } else if (key == "answer") {
                yaml_.named(value, "answer", [&](const std::string& name, const YAML::Node& branch) {
                    composition.answer.push_back(read_branch(name, branch));
                });
                if (value.IsMap() && value.size() == 0) yaml_.fail(value, "an answer needs at least one branch");
            } else if (key == "timeout") {
                composition.timeout = yaml_.duration(value, "timeout");
            } else {
                composition.on_failure = read_failure(value);
            }
        });
        if (node.IsMap() && !node["match"]) yaml_.fail(node, "a composition needs a 'match'");
        if (node.IsMap() && !node["answer"]) yaml_.fail(node, "a composition needs an 'answer'");
        return composition;
    }

    BranchConfig read_branch(const std::string& name, const YAML::Node& node) {
        BranchConfig branch{.name = name, .service = {}, .target = {}, .timeout = {}, .where = yaml_.where(node)};
        if (name == "degraded")
            yaml_.fail(node, "'degraded' lists the branches that failed; name the branch otherwise");
        yaml_.map(node, "branch '" + name + "'", kBranchKeys, [&](std::string_view key, const YAML::Node& value) {
            if (key == "get") {
                read_target(branch, value);
            } else if (key == "required") {
                branch.required = yaml_.boolean(value, "required").value_or(true);
            } else {
                branch.timeout = yaml_.duration(value, "timeout");
            }
        });
        if (node.IsMap() && !node["get"]) yaml_.fail(node, "branch '" + name + "' needs a 'get'");
        return branch;
    }

    void read_target(BranchConfig& branch, const YAML::Node& node) {
        const auto text = yaml_.text(node, "get");
        const auto slash = text.find('/');
        if (slash == std::string::npos || slash == 0) {
            yaml_.fail(node,
                       "get must be a service and a path such as \"user-service/users/{id}\", found '" + text + "'");
            return;
        }
        branch.where = yaml_.where(node);
        branch.service = read_service(node, text.substr(0, slash));
        branch.target = text.substr(slash);
    }

    FailureConfig read_failure(const YAML::Node& node) {
        FailureConfig failure;
        yaml_.map(node, "on_failure", kFailureKeys, [&](std::string_view key, const YAML::Node& value) {
            if (key == "status") {
                failure.status = static_cast<int>(yaml_.number(value, "status", 500, 599).value_or(502));
            } else {
                failure.error = yaml_.text(value, "error");
            }
        });
        if (node.IsMap() && !node["error"]) yaml_.fail(node, "on_failure needs an 'error', the message to answer");
        return failure;
    }

    YamlReader yaml_;
};

} // namespace

Result<Config> parse_config(std::string_view text, std::string file_name) {
    try {
        return ConfigReader(file_name).read(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& error) {
        return Error(Kind::invalid, "invalid_configuration",
                     Location{std::move(file_name), error.mark.line + 1}.to_string() +
                         ": not valid YAML: " + error.msg);
    }
}

Result<Config> load_config(const std::string& file_name) {
    const auto text = read_text_file(file_name);
    if (!text) return text.error();
    return parse_config(*text, file_name);
}

} // namespace flotilla::gateway
