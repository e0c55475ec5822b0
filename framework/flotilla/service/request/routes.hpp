#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/http/router.hpp>
#include <flotilla/http/static_content.hpp>
#include <flotilla/observe/request_durations.hpp>
#include <flotilla/service/endpoint_core.hpp>

namespace flotilla {

/// What a request may lead to: an endpoint, or the files below a prefix.
struct Route {
    RequestDurations durations;             ///< knows its pattern; "" where nothing matched
    std::unique_ptr<EndpointCore> endpoint; ///< null: `files`, or nothing matched
    std::optional<http::StaticContent> files = {};

    const std::string& pattern() const { return durations.route(); }
};

/// Where a request leads, found once and handed from step to step.
struct MatchedRoute {
    Route& route;
    http::PathParameters parameters = {};
    std::string_view own_page = {};    ///< one of the program's own pages: `route` is none then
    std::optional<Error> refused = {}; ///< nothing matched, and why: 404, 405, a malformed path
};

/// The routes of a service. Built while it is installed, then read. Thread-safety: none; one per loop.
class Routes {
public:
    /// `own_pages`: what the program answers itself, at any method. They are routed as everything else is, so that
    /// nothing reads their paths in another way, and nobody else can have them.
    Routes(Metrics& metrics, std::span<const std::string> own_pages);

    /// Throws std::logic_error when method and path are taken, by another endpoint or by an own page.
    void add(std::unique_ptr<EndpointCore> endpoint);
    /// Files under a prefix. Throws std::logic_error when the prefix is malformed, or taken by other files.
    void add(std::string_view prefix, http::StaticContent files);
    /// One more own page. Throws std::logic_error when the path is taken.
    void add_own_page(std::string_view path);
    std::vector<const EndpointInfo*> endpoints() const;

    MatchedRoute match(const http::RequestHead& request);
    /// The methods that a path answers to, for `Allow`; empty when it is unknown.
    std::string allowed(std::string_view path) const { return router_.allowed(path); }

private:
    Metrics& metrics_;
    http::Router router_;
    std::vector<Route> routes_;
    Route none_;
};

} // namespace flotilla
