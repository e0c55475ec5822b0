#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <flotilla/http/router.hpp>

#include "gateway/core/body_template.hpp"
#include "gateway/core/config.hpp"
#include "gateway/core/path_template.hpp"

namespace flotilla::gateway {

/// Sends the request on to one service.
struct ProxyAction {
    std::string service;
    std::string pattern; ///< by which options of the calls may name it
    std::optional<PathTemplate> rewrite;
};

/// What a step's answer must say; see ExpectationConfig.
struct Expectation {
    std::vector<std::pair<JsonReference, boost::json::value>> members; ///< of the answer, which is their only source
    int status = 0;
    std::string code, error;
};

/// One call of a composition.
struct Branch {
    std::string name;
    std::string service;
    Method method;
    bool safe; ///< it changes nothing
    PathTemplate target;
    std::optional<BodyTemplate> body;
    std::optional<Expectation> expect;
    bool required = true;
    std::optional<Duration> timeout;
    std::optional<Duration> fallback_age_max;
    std::size_t stage = 0; ///< those of one stage run in parallel, when those of the stage before have ended
};

/// Answers from several services; see CompositionConfig.
struct CompositionAction {
    std::vector<Branch> branches;
    std::size_t stages = 1;            ///< of the branches
    std::optional<std::size_t> result; ///< the branch whose answer is the whole's
    std::optional<FailureConfig> on_failure;
    bool has_body = false; ///< the client sends JSON
    bool refers = false;   ///< some branch refers to the client's body, or to an answer
};

/// What a pattern leads to.
struct RouteTarget {
    std::string pattern;                           ///< for metrics and logs
    std::optional<Duration> timeout = {};          ///< instead of the server's
    std::uint64_t body_bytes_max = 0;              ///< of a request
    Criticality criticality = Criticality::normal; ///< at most
    std::variant<ProxyAction, CompositionAction> action;
};

/// The routes of one configuration: an immutable snapshot. Thread-safe.
class RouteTable {
public:
    /// Errors: invalid, naming file and line: malformed or conflicting paths, placeholders without a parameter.
    static Result<std::shared_ptr<const RouteTable>> build(const Config& config);

    /// Where a request leads: an index into targets(). `authority` is the Host field, `path` normalised.
    /// Routes with the request's host come first, then those for any host.
    /// Errors: not_found, method_not_allowed.
    Result<std::size_t> find(Method method, std::string_view authority, std::string_view path) const;
    /// For `Allow`.
    std::string allowed(std::string_view authority, std::string_view path) const;

    const std::vector<RouteTarget>& targets() const { return targets_; }

private:
    Result<void> add(const Match& match, std::string_view path, RouteTarget target);
    const http::Router* router_of(std::string_view authority) const;

    http::Router any_host_;
    std::map<std::string, http::Router, std::less<>> hosts_;
    std::vector<RouteTarget> targets_;
};

} // namespace flotilla::gateway
