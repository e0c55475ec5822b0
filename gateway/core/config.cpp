#include "gateway/core/config.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/nearest_name.hpp>
#include <flotilla/base/text.hpp>
#include <flotilla/discovery/service_name.hpp>
#include <flotilla/node/text_file.hpp>
#include <flotilla/resilience/target_yaml.hpp>

#include "gateway/core/json_reference.hpp"
#include "gateway/core/path.hpp"
#include "gateway/core/yaml_reader.hpp"

namespace flotilla::gateway {

std::string Location::to_string() const { return file + ":" + std::to_string(line); }

std::string Location::in_short() const {
    return std::filesystem::path(file).filename().string() + ":" + std::to_string(line);
}

namespace {

constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::size_t kBranchNameMax = 50; ///< behind an Idempotency-Key of up to 200
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;

class ConfigReader {
public:
    explicit ConfigReader(std::string file) : yaml_(std::move(file)) {}

    Result<Config> read(const YAML::Node& root) {
        Config config;
        if (root.IsNull() || !root.IsDefined()) {
            yaml_.fail(root, "the configuration is empty; it needs at least 'routes'");
        } else {
            read_top(root, config);
        }
        if (yaml_.problems().empty()) return config;
        std::string all;
        for (const auto& problem : yaml_.problems())
            all += (all.empty() ? "" : "\n") + problem;
        return Error(Kind::invalid, "invalid_configuration", std::move(all));
    }

private:
    void read_top(const YAML::Node& root, Config& config) {
        std::optional<YAML::Node> targets;
        yaml_.map(root, "the configuration",
                  {{"routes",
                    [&](auto& list) {
                        yaml_.list(list, "routes", [&](auto& item) { config.routes.push_back(read_route(item)); });
                    }},
                   {"compositions",
                    [&](auto& list) {
                        yaml_.list(list, "compositions",
                                   [&](auto& item) { config.compositions.push_back(read_composition(item)); });
                    }},
                   {"timeout",
                    [&](auto& value) { config.timeout = yaml_.duration(value, "timeout").value_or(config.timeout); }},
                   {"targets", [&](auto& map) { targets = map; }},
                   {"access_log", [&](auto& map) { read_access_log(map, config); }},
                   {"limits", [&](auto& map) { read_limits(map, config); }}});
        if (targets) read_all_targets(*targets, config); // when it is known which services there are
    }

    void read_all_targets(const YAML::Node& node, Config& config) {
        read_targets(
            node,
            {.what = "targets",
             .known = called_services(config),
             .source = [this](const YAML::Node& value) { return yaml_.where(value).in_short(); },
             .fail = [this](const YAML::Node& at, std::string message) { yaml_.fail(at, std::move(message)); }},
            config.targets);
        if (auto known = check_targets(config.targets, config.routes); !known)
            yaml_.fail(node, known.error().message());
    }

    void read_access_log(const YAML::Node& node, Config& config) {
        yaml_.map(node, "access_log",
                  {{"sample",
                    [&](auto& value) {
                        if (auto n = yaml_.number(value, "sample", 0, 1'000'000))
                            config.access_log_sample = static_cast<std::uint32_t>(*n);
                    }},
                   {"slow",
                    [&](auto& value) { config.access_log_slow = read_slow(value).value_or(config.access_log_slow); }}});
    }

    void read_limits(const YAML::Node& node, Config& config) {
        const auto bytes = [this](std::string_view key, std::uint64_t& limit) {
            return YamlReader::Member{key, [this, key, &limit](auto& value) {
                                          limit = yaml_.number(value, key, 1, kBytesMax).value_or(limit);
                                      }};
        };
        yaml_.map(
            node, "limits",
            {bytes("body_bytes_max", config.body_bytes_max), bytes("composed_bytes_max", config.composed_bytes_max)});
    }

    std::optional<Duration> read_slow(const YAML::Node& node) {
        if (node.IsScalar() && node.Scalar() == "off") return Duration::zero();
        return yaml_.duration(node, "slow", ", or off");
    }

    Match read_match(const YAML::Node& node) {
        Match match;
        match.where = yaml_.where(node);
        yaml_.map(node, "match",
                  {{"host", [&](auto& value) { match.host = read_host(value); }},
                   {"method", [&](auto& value) { match.methods = read_methods(value); }},
                   {"path", [&](auto& value) { match.paths = read_paths(value); }}});
        if (node.IsMap() && !node["path"]) yaml_.fail(node, "a match needs a 'path'");
        return match;
    }

    std::string read_host(const YAML::Node& node) {
        auto host = ascii_lower(yaml_.text(node, "host"));
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

    std::string read_service(const YAML::Node& node, const std::string& text) {
        if (text.empty()) return text;
        const auto name = ServiceName::parse(text);
        if (!name) yaml_.fail(node, name.error().message());
        return name ? name->text() : text;
    }

    RouteConfig read_route(const YAML::Node& node) {
        RouteConfig route;
        yaml_.map(node, "a route",
                  {{"match", [&](auto& value) { route.match = read_match(value); }},
                   {"to", [&](auto& value) { route.to = read_service(value, yaml_.text(value, "to")); }},
                   {"rewrite", [&](auto& value) { read_rewrite(value, route); }},
                   {"timeout", [&](auto& value) { route.timeout = yaml_.duration(value, "timeout"); }},
                   {"criticality", [&](auto& value) { route.criticality = read_criticality(value); }},
                   {"body_bytes_max",
                    [&](auto& value) { route.body_bytes_max = yaml_.number(value, "body_bytes_max", 1, kBytesMax); }}});
        if (node.IsMap() && !node["match"]) yaml_.fail(node, "a route needs a 'match'");
        if (node.IsMap() && !node["to"]) yaml_.fail(node, "a route needs a service in 'to'");
        return route;
    }

    Criticality read_criticality(const YAML::Node& node) {
        const auto text = yaml_.text(node, "criticality");
        if (text.empty()) return Criticality::normal; // told
        const auto criticality = parse_criticality(text);
        if (!criticality) yaml_.fail(node, criticality.error().message());
        return criticality.value_or(Criticality::normal);
    }

    void read_rewrite(const YAML::Node& node, RouteConfig& route) {
        route.rewrite = yaml_.text(node, "rewrite");
        route.rewrite_where = yaml_.where(node);
        if (!route.rewrite->starts_with('/')) yaml_.fail(node, "rewrite must start with '/'");
    }

    CompositionConfig read_composition(const YAML::Node& node) {
        CompositionConfig composition;
        yaml_.map(node, "a composition",
                  {{"match", [&](auto& value) { composition.match = read_composed_match(value); }},
                   {"answer", [&](auto& value) { composition.answer = read_answer(value); }},
                   {"result", [&](auto& value) { composition.result = yaml_.text(value, "result"); }},
                   {"timeout", [&](auto& value) { composition.timeout = yaml_.duration(value, "timeout"); }},
                   {"criticality", [&](auto& value) { composition.criticality = read_criticality(value); }},
                   {"on_failure", [&](auto& value) { composition.on_failure = read_failure(value); }}});
        if (node.IsMap() && !node["match"]) yaml_.fail(node, "a composition needs a 'match'");
        if (node.IsMap() && !node["answer"]) yaml_.fail(node, "a composition needs an 'answer'");
        if (node.IsMap()) check_steps(node, composition);
        return composition;
    }

    Match read_composed_match(const YAML::Node& node) {
        auto match = read_match(node);
        if (match.methods.empty()) match.methods = {"GET"};
        const bool reads = match.methods == std::vector<std::string>{"GET"};
        const bool writes = std::ranges::all_of(
            match.methods, [](const auto& method) { return method == "POST" || method == "PUT" || method == "PATCH"; });
        if (!reads && !writes) yaml_.fail(node, "a composition answers GET alone, or any of POST, PUT and PATCH");
        return match;
    }

    void check_steps(const YAML::Node& node, const CompositionConfig& composition) {
        const bool reads = composition.match.methods == std::vector<std::string>{"GET"};
        std::vector<std::string_view> names;
        for (const auto& branch : composition.answer) {
            names.push_back(branch.name);
            if (reads && !branch.safe)
                yaml_.fail(node["answer"][branch.name], "a GET changes nothing: branch '" + branch.name +
                                                            "' must say 'safe: true', or the match 'method: POST'");
            if (!reads && branch.name == kClientBodyName)
                yaml_.fail(node["answer"][branch.name], "'body' is what the client sent; name the branch otherwise");
        }
        if (composition.result.empty()) return;
        const auto result = std::ranges::find(composition.answer, composition.result, &BranchConfig::name);
        if (result == composition.answer.end())
            yaml_.fail(node["result"],
                       "result '" + composition.result + "' is no branch" + suggestion(composition.result, names));
        else if (!result->required)
            yaml_.fail(node["result"], "the result must be a branch that is required");
    }

    std::vector<BranchConfig> read_answer(const YAML::Node& node) {
        std::vector<BranchConfig> branches;
        yaml_.named(node, "answer", [&](const std::string& name, const YAML::Node& branch) {
            branches.push_back(read_branch(name, branch));
        });
        if (node.IsMap() && node.size() == 0) yaml_.fail(node, "an answer needs at least one branch");
        return branches;
    }

    BranchConfig read_branch(const std::string& name, const YAML::Node& node) {
        BranchConfig branch{.name = name, .service = {}, .target = {}, .timeout = {}, .where = yaml_.where(node)};
        if (name.size() > kBranchNameMax) yaml_.fail(node, "a branch's name has at most 50 characters");
        if (name == "degraded" || name == "stale")
            yaml_.fail(node, "'" + name + "' lists the branches that failed; name the branch otherwise");
        const auto call = [&](std::string_view key, Method method) {
            return YamlReader::Member{
                key, [&branch, this, key, method](auto& value) { read_target(branch, key, method, value); }};
        };
        yaml_.map(
            node, "branch '" + name + "'",
            {call("get", Method::get),
             call("post", Method::post),
             call("put", Method::put),
             call("patch", Method::patch),
             call("delete", Method::delete_),
             {"body", [&](auto& value) { read_body(branch, value); }},
             {"safe", [&](auto& value) { branch.safe = yaml_.boolean(value, "safe").value_or(true); }},
             {"expect", [&](auto& value) { branch.expect = read_expectation(value); }},
             {"required", [&](auto& value) { branch.required = yaml_.boolean(value, "required").value_or(true); }},
             {"timeout", [&](auto& value) { branch.timeout = yaml_.duration(value, "timeout"); }},
             {"fallback", [&](auto& value) { read_fallback(branch, value); }}});
        if (node.IsMap()) check_branch(node, branch);
        return branch;
    }

    void check_branch(const YAML::Node& node, BranchConfig& branch) {
        const auto about = "branch '" + branch.name + "' ";
        const bool gets = branch.method == Method::get;
        const auto calls = std::ranges::count_if(std::array{"get", "post", "put", "patch", "delete"},
                                                 [&](const char* key) { return node[key].IsDefined(); });
        if (calls == 0) yaml_.fail(node, about + "needs a 'get', or a 'post', 'put', 'patch' or 'delete'");
        if (calls > 1) yaml_.fail(node, about + "makes one call, found " + std::to_string(calls));
        if (!node["safe"]) branch.safe = gets;
        if (gets && !branch.safe) yaml_.fail(node["safe"], "a 'get' is safe");
        if (branch.body && (gets || branch.method == Method::delete_))
            yaml_.fail(node["body"], "a 'get' or 'delete' has no body");
        if (branch.fallback_age_max && !gets) yaml_.fail(node["fallback"], "only a 'get' has a fallback");
    }

    void read_body(BranchConfig& branch, const YAML::Node& node) {
        branch.body_where = yaml_.where(node);
        if (node.IsNull()) return yaml_.fail(node, "body must be a map, a list or a text");
        branch.body = yaml_.json(node, "body");
    }

    ExpectationConfig read_expectation(const YAML::Node& node) {
        ExpectationConfig expectation;
        yaml_.map(node, "expect",
                  {{"members",
                    [&](auto& map) {
                        yaml_.named(map, "members", [&](const std::string& name, const YAML::Node& value) {
                            expectation.members.emplace_back(name, yaml_.json(value, name));
                        });
                    }},
                   {"status",
                    [&](auto& value) {
                        expectation.status = static_cast<int>(yaml_.number(value, "status", 400, 499).value_or(409));
                    }},
                   {"code", [&](auto& value) { expectation.code = yaml_.text(value, "code"); }},
                   {"error", [&](auto& value) { expectation.error = yaml_.text(value, "error"); }}});
        if (node.IsMap() && !node["members"]) yaml_.fail(node, "expect needs 'members', and what they must be");
        if (node.IsMap() && !node["error"]) yaml_.fail(node, "expect needs an 'error', the message to answer");
        return expectation;
    }

    void read_fallback(BranchConfig& branch, const YAML::Node& node) {
        yaml_.map(node, "fallback",
                  {{"age_max", [&](auto& value) { branch.fallback_age_max = yaml_.duration(value, "age_max"); }}});
        if (node.IsMap() && !node["age_max"])
            yaml_.fail(node, "a fallback needs an 'age_max', how old the last good answer may be");
    }

    void read_target(BranchConfig& branch, std::string_view key, Method method, const YAML::Node& node) {
        const auto text = yaml_.text(node, key);
        const auto scheme = text.find("://");
        const auto slash = text.find('/', scheme == std::string::npos ? 0 : scheme + 3);
        if (slash == std::string::npos || slash == 0) {
            yaml_.fail(node, std::string(key) +
                                 " must be a service and a path such as \"user-service/users/{id}\", found '" + text +
                                 "'");
            return;
        }
        branch.where = yaml_.where(node);
        branch.method = method;
        branch.service = read_service(node, text.substr(0, slash));
        branch.target = text.substr(slash);
    }

    FailureConfig read_failure(const YAML::Node& node) {
        FailureConfig failure;
        yaml_.map(node, "on_failure",
                  {{"status",
                    [&](auto& value) {
                        failure.status = static_cast<int>(yaml_.number(value, "status", 500, 599).value_or(502));
                    }},
                   {"error", [&](auto& value) { failure.error = yaml_.text(value, "error"); }}});
        if (node.IsMap() && !node["error"]) yaml_.fail(node, "on_failure needs an 'error', the message to answer");
        return failure;
    }

    YamlReader yaml_;
};

} // namespace

std::vector<std::string> called_services(const Config& config) {
    std::vector<std::string> services;
    const auto add = [&services](const std::string& service) {
        if (std::ranges::find(services, service) == services.end()) services.push_back(service);
    };
    for (const auto& route : config.routes)
        add(route.to);
    for (const auto& composition : config.compositions)
        std::ranges::for_each(composition.answer, add, &BranchConfig::service);
    return services;
}

namespace {

/// The routes to a service as options of an endpoint name them: "GET /api/users/{id}".
std::vector<std::string> routes_to(const std::string& service, const std::vector<RouteConfig>& routes) {
    std::vector<std::string> names;
    for (const auto& route : routes) {
        if (route.to != service) continue;
        const auto& some = route.match.methods;
        const std::vector<std::string> methods =
            some.empty() ? std::vector<std::string>(kMethods.begin(), kMethods.end()) : some;
        for (const auto& path : route.match.paths) {
            for (const auto& method : methods)
                names.push_back(method + " " + path);
        }
    }
    return names;
}

Result<void> check_target(const TargetSetting& setting, const std::vector<RouteConfig>& routes) {
    const auto& [target, key, value, source, endpoint, origin] = setting;
    const auto wrong = [&](const std::string& why) {
        return Error(Kind::invalid, "invalid_configuration", "targets: " + target + "." + why);
    };
    if (key.starts_with("hedging.")) return wrong(key + " is for services; the gateway hedges no calls");
    if (key == "timeouts.call" || (!endpoint.empty() && key.starts_with("timeouts.")))
        return wrong(key + " is for services; routes, compositions and branches have a 'timeout'");
    if (endpoint.empty()) return {};
    const auto known = routes_to(target, routes);
    if (std::ranges::find(known, endpoint) != known.end()) return {};
    return wrong("endpoints: there is no route '" + shortened(endpoint) + "' to it" + did_you_mean(endpoint, known));
}

} // namespace

Result<void> check_targets(const TargetConfiguration& targets, const std::vector<RouteConfig>& routes) {
    for (const auto& setting : targets.settings()) {
        if (auto has = check_target(setting, routes); !has) return has;
    }
    return {};
}

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
