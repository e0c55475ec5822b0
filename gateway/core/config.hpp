#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/value.hpp>

#include <flotilla/aio/criticality.hpp>
#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/resilience/target_configuration.hpp>

namespace flotilla::gateway {

/// A place in the configuration file, for messages: "gateway.yaml:12".
struct Location {
    std::string file;
    int line = 0; ///< from 1
    std::string to_string() const;
    std::string in_short() const; ///< without the file's folder
};

/// Which requests an entry is for.
struct Match {
    std::string host;                 ///< exact, lower case, without port; empty: any
    std::vector<std::string> methods; ///< empty: any. GET answers HEAD too
    std::vector<std::string> paths;   ///< patterns as http::Router takes them; each leads to the same target
    Location where;
};

/// Requests that go to one service.
struct RouteConfig {
    Match match;
    std::string to;                                ///< service name in the registry
    std::optional<std::string> rewrite;            ///< template of the path sent on; without it the path stays
    std::optional<Duration> timeout;               ///< for the whole exchange, instead of Config::timeout
    std::optional<std::uint64_t> body_bytes_max;   ///< of a request, instead of Config::body_bytes_max
    Criticality criticality = Criticality::normal; ///< of its requests; a client may lower it, not raise it
    Location rewrite_where;
};

/// What a step's answer must say for the composition to go on, and what is answered where it says something else.
struct ExpectationConfig {
    /// "available": true. Names of members, with dots between those within each other.
    std::vector<std::pair<std::string, boost::json::value>> members;
    int status = 409;
    std::string code; ///< empty: that of the status' kind
    std::string error;
};

/// One call of a composition, and the member of the answer that it becomes.
struct BranchConfig {
    std::string name;            ///< the member
    std::string service;         ///< "user-service"
    Method method = Method::get; ///< of the call
    bool safe = true;            ///< it changes nothing, whatever its method
    std::string target;          ///< template of path and query: "/users/{id}"
    bool required = true;
    std::optional<Duration> timeout;
    std::optional<Duration> fallback_age_max = {}; ///< of its last good answer, which stands in for one that fails
    std::optional<boost::json::value> body = {};   ///< template of what is sent
    std::optional<ExpectationConfig> expect = {};
    Location where, body_where = {};
};

/// What a composition answers when a required branch fails with anything but a 4xx of its own.
struct FailureConfig {
    int status = 502;
    std::string error;
};

/// A request answered from several services: a GET, or a POST, PUT or PATCH with JSON, whose steps may write.
struct CompositionConfig {
    Match match;
    std::vector<BranchConfig> answer;
    std::string result; ///< the step whose answer is the whole's; empty: an object with all of them
    std::optional<Duration> timeout;
    Criticality criticality = Criticality::normal; ///< as RouteConfig's
    std::optional<FailureConfig> on_failure;
};

/// gateway.yaml. The file's shape is explained at the top of the shop's gateway.yaml.
struct Config {
    std::vector<RouteConfig> routes;
    std::vector<CompositionConfig> compositions;
    TargetConfiguration targets;                               ///< how services are called
    Duration timeout = std::chrono::seconds(30);               ///< for a whole exchange
    std::uint32_t access_log_sample = 1;                       ///< log one of N answers below 500; 0: none of them
    Duration access_log_slow = std::chrono::milliseconds(500); ///< slower exchanges: where the time went; 0: off
    std::uint64_t body_bytes_max = 10 * 1024 * 1024;           ///< of a request
    std::uint64_t composed_bytes_max = 4 * 1024 * 1024;        ///< of one branch's body
};

/// The services that its routes and compositions lead to, each once.
std::vector<std::string> called_services(const Config& config);

/// Whether only options are set that the gateway has: it hedges no calls, and routes have timeouts. An endpoint is a
/// route to the service, "GET /api/users/{id}". Errors: invalid.
Result<void> check_targets(const TargetConfiguration& targets, const std::vector<RouteConfig>& routes);

/// Reads a configuration. Errors: invalid, with every problem on a line of its own: file, line, what is wrong and the
/// nearest valid name.
Result<Config> parse_config(std::string_view text, std::string file_name);
/// As parse_config(), from a file. Errors: also not_found.
Result<Config> load_config(const std::string& file_name);

} // namespace flotilla::gateway
