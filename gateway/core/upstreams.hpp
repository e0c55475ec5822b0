#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/semaphore.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla::gateway {

/// How upstreams are chosen.
struct UpstreamOptions {
    std::string this_host;                      ///< where Unix sockets of instances can be used
    Duration penalty = std::chrono::seconds(1); ///< an instance that refused a connection is passed over so long
    Duration resolve_timeout = std::chrono::seconds(2); ///< waiting for the first instance of a service
};

/// Bodies that stream to one instance at once; further ones wait. Half of the connections to an address
/// (http::ClientOptions), so that uploads that stall leave the other half to everybody else.
inline constexpr std::size_t kUploadsMax = http::ClientOptions{}.connections_per_address_max / 2;

/// One instance as this loop sees it. Shared: calls in flight outlive a change of the instance list.
struct UpstreamInstance {
    UpstreamInstance(std::string its_id, Address its_address)
        : id(std::move(its_id)), address(std::move(its_address)) {}

    std::string id;
    Address address;
    Instant penalised_until{};
    FifoSemaphore uploads{kUploadsMax};
};
using UpstreamInstancePtr = std::shared_ptr<UpstreamInstance>;

/// What a connection is for.
enum class Use : unsigned char {
    whole, ///< a request that is in memory
    upload ///< a body that streams for as long as its client likes: bounded, see kUploadsMax
};

/// The instances of one service, and what became of the calls to it.
class Upstream {
public:
    Upstream(std::string service, Metrics& metrics);

    const std::string& service() const { return service_; }
    std::size_t size() const { return instances_.size(); }
    /// The next instance in turn that is not in `tried`; one under penalty only when there is no other. For an upload
    /// one that takes it at once, or else the one where the fewest wait. Null: none left.
    UpstreamInstancePtr pick(Instant now, const std::vector<UpstreamInstancePtr>& tried, Use use);
    void observe(int status, Duration duration);
    /// Counts by the error's code: a connection that was not made, or an exchange that ended without its answer.
    void count_connect_failure(const Error& error);
    void count_broken_exchange(const Error& error);

    Counter& retries;

private:
    friend class Upstreams;
    /// The instance if it is known, or was and has calls in flight: it keeps its permits and its penalty.
    UpstreamInstancePtr known(const std::string& id, const Address& address) const;
    std::string service_;
    Instances seen_;
    std::vector<UpstreamInstancePtr> instances_;
    std::vector<std::weak_ptr<UpstreamInstance>> departed_; ///< with calls in flight: one that comes back is the same
    std::size_t next_ = 0;
    Metrics& metrics_;
    using ByReason = std::vector<std::pair<std::string, Counter*>>; // few: the codes of http::Client
    void count(ByReason& counters, std::string_view name, std::string_view help, const Error& error);
    std::vector<std::pair<int, Histogram*>> durations_; // by status, made on first use, as are these
    ByReason connect_failures_, broken_exchanges_;
};

/// What to answer when an exchange with an instance of a service ended without its answer, and why it did: the service
/// alone is named, the log has the rest. Errors: bad_gateway `upstream_failed`; deadline_exceeded.
Error upstream_failed(const Context& context, const std::string& service, const Error& why);

/// What one request has tried so far.
struct Attempts {
    std::vector<UpstreamInstancePtr> tried;
    unsigned failed = 0; ///< exchanges that ended without their answer
    std::optional<Error> last_failure = {};
};

/// A connection to an instance, taken for one exchange.
struct UpstreamConnection {
    UpstreamInstancePtr instance;
    std::optional<FifoSemaphore::Permit> upload; ///< for Use::upload; given back behind the connection
    std::unique_ptr<http::ClientExchange> exchange;
    const http::ResponseHead* head = nullptr; ///< once it was received
};

/// The way from a service's name to a connection: instances from the registry in turn, without those that refused a
/// connection a moment ago, over a Unix socket where that is possible.
/// Thread-safety: none; one per loop.
class Upstreams {
public:
    Upstreams(World& world, http::Client& client, Registry& registry, Telemetry& telemetry, UpstreamOptions options);

    /// The upstream of a service, watched from now on. The reference stays valid.
    Upstream& of(std::string_view service);
    /// The connections to its instances.
    http::Client::Load load(const Upstream& upstream) const;

    /// Connects to the next instance that was not tried; one that cannot be reached is penalised and the next one taken
    /// at once. An upload waits for its turn. Nothing was sent when it fails.
    /// Errors: unavailable `no_instance` with retry_after; bad_gateway `upstream_unreachable` when none could be
    /// reached, `upstream_failed` when those that could have failed; the context's reason.
    task<Result<UpstreamConnection>> connect(Context& context, Upstream& upstream, Attempts& attempts, Use use);

    /// Sends a whole request, each try as a span of its own (see http::OutgoingCall), and waits for the head of the
    /// response, failing over to another instance as far as that cannot do anything twice: always when the request was
    /// not sent completely, and when it was, if `idempotent`. Errors: as connect(); bad_gateway `upstream_failed`.
    task<Result<UpstreamConnection>> call(Context& context, Upstream& upstream, http::RequestHead& head,
                                          std::string_view body, bool idempotent, Attempts& attempts);

    /// Notes that an exchange ended without its answer: in the log (which instance, and what was wrong) and in the
    /// metrics (the error's code). The instance is not tried again, unless all that failed was a connection that had
    /// been idle for too long. False when there is no more to be tried: enough has failed, or the time has passed.
    /// Nothing is noted when the client has gone.
    bool note_broken(const Context& context, const UpstreamConnection& connection, Upstream& upstream,
                     Attempts& attempts, const Error& error);

private:
    void refresh(Upstream& upstream);
    task<Result<void>> wait_for_instances(Context& context, Upstream& upstream);
    void penalise(const Context& context, Upstream& upstream, UpstreamInstance& instance, const Error& error);

    World& world_;
    http::Client& client_;
    Registry& registry_;
    Telemetry& telemetry_;
    UpstreamOptions options_;
    std::map<std::string, std::unique_ptr<Upstream>, std::less<>> upstreams_;
};

} // namespace flotilla::gateway
