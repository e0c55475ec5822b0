#pragma once

#include <optional>

#include <flotilla/node/load_shedder.hpp>
#include <flotilla/node/own_pages.hpp>
#include <flotilla/service/request/event_streams.hpp>
#include <flotilla/service/request/faults.hpp>
#include <flotilla/service/request/idempotency.hpp>
#include <flotilla/service/request/recording.hpp>
#include <flotilla/service/request/routes.hpp>

namespace flotilla {

/// What happens to a request between the HTTP server and an endpoint's method: the steps in request/, in the order that
/// request_steps.cpp lists. Thread-safety: none; one per loop.
class RequestSteps {
public:
    /// `loop`: its name, for metrics and log.
    RequestSteps(World& world, Telemetry& telemetry, RequestsInFlight& in_flight, const HostOptions& options,
                 OwnPages& own_pages, std::string loop);

    Routes& routes() { return routes_; }
    const Routes& routes() const { return routes_; }
    /// Requires: before a request with an Idempotency-Key.
    void use_database(Database& database) { keys_.use_database(database); }

    /// Of endpoints that are event streams. Requires: before a request for one.
    void use_event_streams(Metrics& metrics) {
        if (!event_streams_) event_streams_.emplace(metrics);
    }
    /// Null: there are none.
    EventStreams* event_streams() { return event_streams_ ? &*event_streams_ : nullptr; }

    /// Until they are put there are no faults.
    Faults& faults() { return faults_; }

    task<void> handle(Context& context, http::Exchange& exchange);

private:
    task<Result<int>> serve(Context& context, http::Exchange& exchange, MatchedRoute& matched);
    task<Result<int>> serve_endpoint(Context& context, http::Exchange& exchange, const MatchedRoute& matched);

    const Logger log_;
    const std::uint64_t body_bytes_max_;
    OwnPages& own_pages_;
    Routes routes_;
    RequestRecorder recorder_;
    LoadShedder shedder_;
    Faults faults_;
    std::optional<EventStreams> event_streams_;
    IdempotencyKeys keys_;
};

} // namespace flotilla
