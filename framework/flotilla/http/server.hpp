#pragma once

#include <functional>
#include <memory>

#include <flotilla/aio/scope.hpp>
#include <flotilla/http/exchange.hpp>

namespace flotilla::http {

/// Limits and times of a server, with their defaults. Past a limit the answer is 400, 408, 413, 414, 431 or 503.
struct ServerOptions {
    std::size_t request_line_bytes_max = 8 * 1024;
    std::size_t header_bytes_max = 32 * 1024;
    std::size_t header_count_max = 100;
    std::uint64_t body_bytes_max = 10 * 1024 * 1024; ///< where nobody says otherwise: Exchange::limit_body
    std::size_t connections_max = 10'000;
    Duration header_timeout = std::chrono::seconds(10);
    Duration body_timeout = std::chrono::seconds(60);    ///< for a request body, and what the rate adds
    std::uint64_t body_bytes_per_second_min = 16 * 1024; ///< so many bytes buy one more second for the body; 0: none
    Duration write_timeout = std::chrono::seconds(60);   ///< for one write
    Duration idle_timeout = std::chrono::seconds(75);
    Duration request_timeout = std::chrono::seconds(30); ///< where nobody says otherwise: Exchange::limit_time
    /// How often the server looks whether the clients of requests under way are still there. The context of a handler
    /// whose client has gone is cancelled, with `client_gone`: at the second look at the latest. 0: never.
    Duration client_check_interval = std::chrono::seconds(1);
    /// Whether a client that has sent its whole request and then closes its sending half has gone. A client that simply
    /// closes its connection looks like that, and so does one that says in this way that nothing follows and waits for
    /// its answer. Proxies take it for gone (as nginx does); services wait for a reset.
    bool cancel_on_half_close = false;
};

/// Handles one exchange. Must answer it (respond, or send and finish); if it returns without, the server answers 500.
/// An exception is logged by the caller's middleware and answered with 500 by the server.
using Handler = std::function<task<void>(Context&, Exchange&)>;

/// An HTTP server on one loop. It reads `traceparent`, `tracestate`, `baggage`, the deadline header
/// (`flotilla-timeout-ms`, `grpc-timeout`), `flotilla-criticality` and `flotilla-attempts` into the Context it hands to
/// the handler. Thread-safety: none; one per loop.
class Server {
public:
    Server(World& world, Handler handler, ServerOptions options = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    /// Starts to accept on another address; may be called several times (TCP and a Unix socket).
    Result<Address> listen(const Address& address, ListenOptions options = {});
    /// Serves until shut down: accept loops and connections live in here.
    task<void> run(Context& context);
    /// Stops accepting, lets requests in flight finish (idle connections close at once, answers carry
    /// `Connection: close`), and after `drain` resets what is left. run() then returns. Safe to call twice.
    task<void> shutdown(Context& context, Duration drain);

    struct Statistics {
        std::size_t connections = 0;
        std::size_t active_requests = 0;
        std::uint64_t requests = 0;
        std::uint64_t protocol_errors = 0;
    };
    const Statistics& statistics() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::http
