#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <flotilla/http/router.hpp>

#include "gateway/core/config.hpp"
#include "gateway/core/path_template.hpp"

namespace flotilla::gateway {

/// Sends the request on to one service.
struct ProxyAction {
    std::string service;
    std::string pattern; ///< by which options of the calls may name it
    std::optional<PathTemplate> rewrite;
};

/// One call of a composition.
struct Branch {
    std::string name;
    std::string service;
    PathTemplate target;
    bool required = true;
    std::optional<Duration> timeout;
    std::optional<Duration> fallback_age_max;
};

/// Answers from several services; see CompositionConfig.
struct CompositionAction {
    std::vector<Branch> branches;
    std::optional<FailureConfig> on_failure;
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
