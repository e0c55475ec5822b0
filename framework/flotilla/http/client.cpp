#include <flotilla/http/client.hpp>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include <flotilla/aio/semaphore.hpp>
#include <flotilla/http/client_connection.hpp>
#include <flotilla/http/transfer.hpp>

namespace flotilla::http {

namespace {

struct AddressHash {
    std::size_t operator()(const Address& address) const {
        const std::hash<std::string_view> hash;
        return hash(address.host) ^ (hash(address.path) << 1) ^ (std::size_t{address.port} * 0x9e3779b97f4a7c15ull);
    }
};

/// The connections to one address. A permit is held by each exchange; idle connections hold none, and a new one is
/// opened only when none is idle, so there are never more connections than permits.
struct Pool {
    explicit Pool(std::size_t connections_max) : permits(connections_max) {}
    FifoSemaphore permits;
    std::size_t users = 0;                               // exchanges and calls under way
    std::vector<std::unique_ptr<ClientConnection>> idle; // the most recently used last
};

} // namespace

struct Client::Impl {
    World& world;
    ClientOptions options;
    std::unordered_map<Address, Pool, AddressHash> pools;
    std::vector<std::string> cut; ///< addresses that cannot be reached
    Timer reaper{world, &Impl::reap, this};

    Impl(World& its_world, const ClientOptions& its_options) : world(its_world), options(its_options) {}

    Pool& pool_of(const Address& address) {
        return pools.try_emplace(address, options.connections_per_address_max).first->second;
    }
    static std::unique_ptr<ClientConnection> take_idle(Pool& pool);
    void give_back(Pool& pool, std::unique_ptr<ClientConnection> connection);
    static void reap(void* self);

    struct PooledExchange;
    /// fresh: pooled connections have proved stale.
    task<Result<std::unique_ptr<PooledExchange>>> open(Context& context, Address address, bool fresh,
                                                       Duration connect_max = Duration::max());
    task<Result<Response>> attempt(Context& context, PooledExchange& exchange, const Request& request);
};

/// An exchange over a connection of a pool.
struct Client::Impl::PooledExchange final : ClientExchange {
    Impl& client;
    Pool& pool;
    const Address& address; // the pool's key
    FifoSemaphore::Permit permit;
    std::unique_ptr<ClientConnection> connection;

    PooledExchange(Impl& owner, Pool& its_pool, const Address& its_address, FifoSemaphore::Permit its_permit)
        : client(owner), pool(its_pool), address(its_address), permit(std::move(its_permit)) {
        ++pool.users;
    }
    ~PooledExchange() override {
        if (connection && connection->reusable()) client.give_back(pool, std::move(connection));
        connection.reset(); // before the permit goes to the next in line
        permit.release();
        --pool.users;
    }

    task<Result<void>> send(Context& context, const RequestHead& head, BodySize size) override {
        return connection->send(context, head, address, size);
    }
    task<Result<void>> write(Context& context, std::string_view piece) override {
        return connection->write(context, piece);
    }
    task<Result<void>> finish(Context& context, const Headers& trailers) override {
        return connection->finish(context, trailers);
    }
    task<Result<void>> send_whole(Context& context, const RequestHead& head, std::string_view body) override {
        return connection->send_whole(context, head, address, body);
    }
    task<Result<const ResponseHead*>> receive(Context& context) override { return connection->receive(context); }
    BodySize response_body_size() const override { return connection->response_body_size(); }
    task<Result<std::string_view>> read(Context& context) override { return connection->read(context); }
    const Headers& response_trailers() const override { return connection->response_trailers(); }
    ResponseHead take_head() override { return connection->take_head(); }
    bool may_be_stale() const override { return connection->may_be_stale(); }
    void reset() override { connection->reset(); }
};

std::unique_ptr<ClientConnection> Client::Impl::take_idle(Pool& pool) {
    while (!pool.idle.empty()) {
        auto connection = std::move(pool.idle.back());
        pool.idle.pop_back();
        // Else the server has closed it, or talks out of turn. This is what the loop saw last and costs nothing; the
        // write looks again when it is due (Stream::guard_next_write).
        if (connection->is_quiet()) return connection;
    }
    return nullptr;
}

void Client::Impl::give_back(Pool& pool, std::unique_ptr<ClientConnection> connection) {
    connection->idle_since = world.monotonic();
    if (pool.idle.size() >= options.idle_per_address_max) return;
    pool.idle.push_back(std::move(connection));
    if (!reaper.armed()) reaper.arm(world.monotonic() + options.idle_timeout);
}

/// Closes what has been idle for too long, forgets addresses without connections, and comes again when more is due.
void Client::Impl::reap(void* self) {
    auto& impl = *static_cast<Impl*>(self);
    const auto now = impl.world.monotonic();
    Instant oldest = Instant::max();
    for (auto at = impl.pools.begin(); at != impl.pools.end();) {
        auto& [address, pool] = *at;
        std::erase_if(pool.idle, [&](const auto& each) { return each->idle_since + impl.options.idle_timeout <= now; });
        for (const auto& each : pool.idle)
            oldest = std::min(oldest, each->idle_since);
        at = pool.idle.empty() && pool.users == 0 ? impl.pools.erase(at) : std::next(at);
    }
    if (oldest != Instant::max()) impl.reaper.arm(oldest + impl.options.idle_timeout);
}

task<Result<std::unique_ptr<Client::Impl::PooledExchange>>> Client::Impl::open(Context& context, Address address,
                                                                               bool fresh, Duration connect_max) {
    co_await must(context.check());
    if (!cut.empty() && std::ranges::find(cut, address.to_string()) != cut.end())
        co_return Error(Kind::unavailable, "connect_failed", "cut off from " + address.to_string() + " on purpose");
    const auto entry = pools.try_emplace(std::move(address), options.connections_per_address_max).first;
    Pool& pool = entry->second;
    struct Use { // keeps the pool while we wait
        Pool& pool;
        explicit Use(Pool& used) : pool(used) { ++pool.users; }
        ~Use() { --pool.users; }
    } use(pool);
    auto exchange =
        std::make_unique<PooledExchange>(*this, pool, entry->first, co_await must(pool.permits.acquire(context)));
    if (fresh) pool.idle.clear();
    exchange->connection = take_idle(pool);
    const bool reused = exchange->connection != nullptr;
    if (!reused) {
        Context connecting(context, std::min(options.connect_timeout, connect_max));
        auto stream = co_await world.connect(connecting, entry->first);
        if (!stream) {
            if (context.cancelled()) co_return context.reason();
            if (connecting.cancelled()) {
                co_return Error(Kind::unavailable, "connect_timeout",
                                "connecting to " + entry->first.to_string() + " took too long");
            }
            co_return Error(Kind::unavailable, "connect_failed", stream.error().message());
        }
        exchange->connection = std::make_unique<ClientConnection>(std::move(*stream), options);
    }
    exchange->connection->start(reused);
    co_return std::move(exchange);
}

task<Result<Response>> Client::Impl::attempt(Context& context, PooledExchange& exchange, const Request& request) {
    auto& connection = *exchange.connection;
    auto sent = co_await connection.send_whole(context, request.head, exchange.address, request.body);
    // A server may answer (413, say) and stop reading, so a write that failed does not mean there is no response.
    if (!sent && sent.error().kind() != Kind::unavailable) co_return std::move(sent.error());
    auto head = co_await connection.receive(context);
    if (!head) co_return std::move(sent ? head.error() : sent.error());
    co_return co_await read_response(context, exchange, request.head.method, options.response_bytes_max);
}

Client::Client(World& world, ClientOptions options) : impl_(std::make_unique<Impl>(world, options)) {}
Client::~Client() = default;

task<Result<std::unique_ptr<ClientExchange>>> Client::open(Context& context, Address address, Duration connect_max) {
    co_return co_await must(impl_->open(context, std::move(address), false, connect_max));
}

task<Result<Response>> Client::fetch(Context& context, Address address, Request request) {
    OutgoingCall call(context, TimeSpent::On::calls);
    co_return co_await fetch(call, std::move(address), std::move(request));
}

task<Result<Response>> Client::fetch(OutgoingCall& call, Address address, Request request) {
    auto& context = call.context();
    add_trace_state(context, request.head);
    {
        auto exchange = co_await must(impl_->open(context, address, false));
        call.begin_try(request.head);
        auto response = co_await impl_->attempt(context, *exchange, request);
        if (response || context.cancelled()) co_return response;
        const auto& connection = *exchange->connection;
        const bool safe = is_idempotent(request.head.method) || connection.request_cut();
        if (!connection.may_be_stale() || !safe) co_return response;
    }
    auto exchange = co_await must(impl_->open(context, std::move(address), true));
    call.begin_try(request.head);
    co_return co_await impl_->attempt(context, *exchange, request);
}

std::size_t Client::idle_connections() const {
    std::size_t count = 0;
    for (const auto& [address, pool] : impl_->pools)
        count += pool.idle.size();
    return count;
}

Client::Load Client::load(const Address& address) const {
    const auto found = impl_->pools.find(address);
    if (found == impl_->pools.end()) return {};
    const auto& pool = found->second;
    return {.active = impl_->options.connections_per_address_max - pool.permits.available(),
            .idle = pool.idle.size(),
            .waiting = pool.permits.waiting()};
}

void Client::cut_off(const std::vector<std::string>& addresses) { impl_->cut = addresses; }

void Client::close_idle(const Address* address) {
    for (auto& [key, pool] : impl_->pools) {
        if (!address || key == *address) pool.idle.clear();
    }
}

} // namespace flotilla::http
