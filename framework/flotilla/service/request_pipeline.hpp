#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <flotilla/aio/time_spent.hpp>
#include <flotilla/http/router.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/http/static_content.hpp>
#include <flotilla/node/own_pages.hpp>
#include <flotilla/observe/request_durations.hpp>
#include <flotilla/observe/slow_requests.hpp>
#include <flotilla/service/host.hpp>

namespace flotilla {

/// What happens to a request between the HTTP server and a service's method. One per loop.
class RequestPipeline {
public:
    /// Requires: `pages` has all its paths.
    RequestPipeline(World& world, Process& process, const HostOptions& options, OwnPages& pages);

    /// Throws std::logic_error when method and path are taken, by another endpoint or by the framework's own pages.
    void add(std::unique_ptr<detail::EndpointHandler> handler);
    /// Files under a prefix. Throws std::logic_error when the prefix is malformed, or taken by other files.
    void add(std::string_view prefix, http::StaticContent files);
    std::vector<const EndpointInfo*> endpoints() const;
    /// Requires: before a request with an Idempotency-Key, if an endpoint declares it.
    void use_database(Database& database) { database_ = &database; }

    task<void> handle(Context& context, http::Exchange& exchange);

private:
    struct Route {
        std::unique_ptr<detail::EndpointHandler> handler; ///< null: `files`
        RequestDurations durations;                       ///< knows its pattern
        std::optional<http::StaticContent> files = {};
    };
    struct Answer {
        int status = 200;
        std::string body;
        bool replayed = false; ///< from an earlier request with the same Idempotency-Key
    };

    std::uint64_t body_bytes_max(const EndpointOptions& endpoint) const;
    static Answer answer_of(const EndpointInfo& info, std::string json, bool replayed);
    task<int> answer(Context& context, http::Exchange& exchange, Route& route, Result<http::Router::Match> match,
                     std::optional<Error>& failure);
    task<Result<int>> serve(Context& context, http::Exchange& exchange, const http::Router::Match& match);
    task<Result<int>> serve_endpoint(Context& context, http::Exchange& exchange, const http::Router::Match& match);
    task<Result<int>> serve_guarded(Context& context, http::Exchange& exchange, const http::Router::Match& match);
    task<Result<Answer>> call(Context& context, http::Exchange& exchange, const http::Router::Match& match,
                              std::string body);
    task<Result<Answer>> call_once(Context& context, http::Exchange& exchange, const http::Router::Match& match,
                                   std::string body, std::string key);
    task<int> refuse(Context& context, http::Exchange& exchange, const Route& route, Error error, std::string allow,
                     std::optional<Error>& failure);
    task<int> answer_options(Context& context, http::Exchange& exchange, std::string allow);
    void record(const Context& context, const http::Exchange& exchange, Route& route, int status, Duration taken,
                const TimeSpent& spent, const std::optional<Error>& failure);

    World& world_;
    Process& process_;
    const HostOptions& options_;
    OwnPages& own_pages_;
    Database* database_ = nullptr;

    http::Router router_;
    std::vector<Route> routes_;
    Route unmatched_;
    Gauge& active_requests_;
    SlowRequests slow_;
    std::uint64_t served_ = 0;
};

} // namespace flotilla
