#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/http/exchange.hpp>
#include <flotilla/http/outgoing_call.hpp>

namespace flotilla::http {

struct ClientOptions {
    std::size_t idle_per_address_max = 64;
    std::size_t connections_per_address_max = 512;    ///< further calls wait, within their deadline
    Duration idle_timeout = std::chrono::seconds(30); ///< below the servers' 75 s, so that we close first
    Duration connect_timeout = std::chrono::seconds(1);
    std::size_t header_bytes_max = 32 * 1024;
    std::size_t header_count_max = 1000;               ///< of a response: its bytes bound it as well
    std::size_t response_bytes_max = 16 * 1024 * 1024; ///< for fetch(), which holds bodies in memory
};

/// The codes of the errors in which a server, or the way to it, is at fault: few, so that metrics may carry them.
inline constexpr std::array<std::string_view, 9> kServerFailures{
    "connect_failed", "connect_timeout", "connection_stale",        "unsolicited_response", "request_not_taken",
    "no_response",    "response_cut",    "response_head_too_large", "bad_response"};

/// A pooled HTTP client on one loop. To each request sent with fetch() it adds `traceparent` (a span for each try, a
/// child of the context's), `tracestate`, `baggage` and the remaining deadline (`flotilla-timeout-ms`); proxies that
/// use open() do it themselves. Thread-safety: none; one per loop. Must outlive its exchanges.
class Client {
public:
    explicit Client(World& world, ClientOptions options = {});
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    /// A connection to the address, from the pool or new. From the pool, nothing is sent of a request before which the
    /// server has closed it or said something (ClientExchange::may_be_stale). connect_max: connecting takes no longer,
    /// for who has another address. Errors: unavailable (`connect_failed`, `connect_timeout`), the context's reason.
    task<Result<std::unique_ptr<ClientExchange>>> open(Context& context, Address address,
                                                       Duration connect_max = Duration::max());
    /// Sends a whole request and reads the whole response; any status is a value. A request that met a stale pooled
    /// connection is sent once more on a new one when it is safe. Errors: as open(); unavailable `request_not_taken`;
    /// bad_gateway `no_response`, `response_cut`, `bad_response`, `response_head_too_large`; too_large; the context's
    /// reason.
    task<Result<Response>> fetch(Context& context, Address address, Request request);
    /// As above, as one or two tries of a call that is accounted for.
    task<Result<Response>> fetch(OutgoingCall& call, Address address, Request request);

    std::size_t idle_connections() const;
    /// The connections to one address.
    struct Load {
        std::size_t active = 0;  ///< used by an exchange
        std::size_t idle = 0;    ///< kept for the next
        std::size_t waiting = 0; ///< calls that wait for one

        Load& operator+=(const Load& other) {
            active += other.active;
            idle += other.idle;
            waiting += other.waiting;
            return *this;
        }
    };
    Load load(const Address& address) const;
    /// Closes idle connections to an address (all, without one): its instance has gone.
    void close_idle(const Address* address = nullptr);
    /// From now on these addresses ("127.0.0.1:3001", "unix:/path") cannot be reached, and all others can: open()
    /// answers `connect_failed`. Exchanges under way go on. For faults that somebody puts in (./flotilla chaos).
    void cut_off(const std::vector<std::string>& addresses);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::http
