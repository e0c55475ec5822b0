#include "hub/hub.hpp"

#include <map>

#include <flotilla/aio/event.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/node/node.hpp>
#include <flotilla/observe/request_durations.hpp>

#include "hub/browser_guard.hpp"
#include "hub/console_api/console_api.hpp"
#include "hub/consul/consul_api.hpp"
#include "hub/data_folder.hpp"
#include "hub/loopback.hpp"
#include "hub/redis/redis_thread.hpp"
#include "hub/smtp/smtp_server.hpp"
#include "hub/suspicion_log.hpp"

namespace flotilla::hub {

namespace {

struct Ports {
    std::uint16_t http, redis, smtp;
};

/// Consul's blocking queries wait up to ten minutes, and a sixteenth.
constexpr Duration kRequestTimeout = std::chrono::minutes(11);

} // namespace

struct Hub::Impl {
    World& world;
    Telemetry& telemetry;
    HubOptions options;
    const Logger& log = telemetry.log;
    SuspicionLog suspicions{world, log};
    std::map<std::string_view, RequestDurations> durations = {}; ///< by route, made on first use

    // Made by start(), in this order, and taken down in the reverse one.
    std::optional<DataFolder> folder = {};
    std::unique_ptr<MailStore> mails = {};
    std::unique_ptr<SmtpServer> smtp = {};
    std::unique_ptr<RedisThread> bus = {};
    std::unique_ptr<http::Client> client = {};
    std::unique_ptr<ConsulApi> consul = {};
    std::unique_ptr<OwnPages> own_pages = {};
    std::unique_ptr<Node> node = {};
    std::unique_ptr<BrowserGuard> guard = {};
    std::unique_ptr<ConsoleApi> console = {};

    task<Result<void>> start(Context& context);
    Result<std::uint16_t> start_bus();
    void lose_bus();
    Result<void> listen();
    void make_guard();
    Result<void> announce(const Ports& ports) const;
    HubDescription describe(const Ports& ports) const;
    void add_parts();
    task<void> run_bus(Context& context);
    void publish_active_requests();

    task<void> handle(Context& context, http::Exchange& exchange);
    task<Handled> refuse(Context& context, http::Exchange& exchange, Error reason);
    task<Handled> handle_api(Context& context, http::Exchange& exchange);
    RequestDurations& durations_of(std::string_view route);
};

// ---- start ----

task<Result<void>> Hub::Impl::start(Context& context) {
    folder.emplace(co_await must(DataFolder::open(options.node.data)));
    const auto path = folder->path().string();
    Ports ports{};
    mails = co_await must(MailStore::open(context, path));
    smtp = std::make_unique<SmtpServer>(world, *mails, telemetry);
    const Address smtp_address = co_await must(smtp->listen(Address::tcp(options.node.host, options.smtp_port)));
    ports.smtp = smtp_address.port;
    ports.redis = co_await must(start_bus());
    client = std::make_unique<http::Client>(world);
    consul = std::make_unique<ConsulApi>(world, *client, path, log);
    co_await must(listen());
    ports.http = node->address().port;
    make_guard();
    console = std::make_unique<ConsoleApi>(*mails, describe(ports));
    add_parts();
    publish_active_requests();
    co_return announce(ports);
}

Result<std::uint16_t> Hub::Impl::start_bus() {
    RedisThreadOptions bus_options;
    bus_options.address = Address::tcp(options.node.host, options.redis_port);
    bus_options.file = folder->path() / "bus.db";
    bus_options.limits = options.bus_limits;
    const auto lost = [this] { world.post([this] { lose_bus(); }); };
    auto started = RedisThread::start(std::move(bus_options), telemetry, lost);
    if (!started) return std::move(started.error()).with_context("the bus");
    bus = std::move(*started);
    return bus->address().port;
}

void Hub::Impl::lose_bus() {
    constexpr const char* kWhat =
        "the bus lost its file: the hub ends, so that it is started anew from what is on disk";
    log.error(kWhat);
    node->fail(Error(Kind::unavailable, kWhat));
}

Result<void> Hub::Impl::listen() {
    auto listening =
        Node::listen(world, telemetry,
                     {.options = options.node,
                      .loop_label = "hub",
                      .handler = [this](Context& each, http::Exchange& exchange) { return handle(each, exchange); },
                      .server = {.request_timeout = kRequestTimeout}});
    if (!listening) return std::move(listening.error());
    node = std::move(*listening);
    own_pages = std::make_unique<OwnPages>(node->identity(), [this] { return node->health(); }, telemetry.metrics);
    return {};
}

void Hub::Impl::make_guard() {
    const auto& host = options.node.host;
    const bool local = is_loopback(node->address());
    guard = std::make_unique<BrowserGuard>(BrowserGuard::Options{host, local, machine_name(), options.allowed_hosts});
    if (local) return;
    log.warning("the hub listens beyond this machine, and nothing authenticates: everybody who can connect can read "
                "mails and change registry and bus; see to it that only the fleet can",
                {{"host", host}});
}

HubDescription Hub::Impl::describe(const Ports& ports) const {
    const auto at = [&](std::uint16_t port) { return Address::tcp(options.node.host, port).to_string(); };
    return {options.node.service,
            {{"consul", at(ports.http), "registry, health, KV configuration: /v1/..."},
             {"redis", at(ports.redis), "events: streams with groups, pub/sub; leases and limiters"},
             {"smtp", at(ports.smtp), "mail catcher; read it at /mail/messages"},
             {"http", at(ports.http), "/livez /readyz /healthz /metrics"}}};
}

Result<void> Hub::Impl::announce(const Ports& ports) const {
    if (auto written = folder->write_file("ports.json", json::write(ports) + "\n"); !written) return written;
    for (const ServedProtocol& protocol : describe(ports).protocols) {
        log.info("listening", {{"protocol", protocol.name}, {"address", protocol.address}});
    }
    return {};
}

// ---- what runs beside requests ----

/// At the end the registry goes first, so that its blocking queries are answered; the bus last, so that nobody misses
/// it meanwhile.
void Hub::Impl::add_parts() {
    node->add({.name = "registry",
               .run = [this](Context& context) { return consul->run(context); },
               .check = [this] { return consul->health(); },
               .required = true,
               .ends_first = true});
    node->add({.name = "mail",
               .run = [this](Context& context) { return smtp->run(context); },
               .check = [this] { return mails->health(); },
               .required = true,
               .ends_first = true});
    node->add({.name = "bus",
               .run = [this](Context& context) { return run_bus(context); },
               .check = [this] { return bus->health(); },
               .required = true});
}

/// It works on a thread of its own.
task<void> Hub::Impl::run_bus(Context& context) {
    Event never;
    while (!context.cancelled())
        (void)co_await never.wait(context); // its error is the cancellation the loop looks at
    bus->stop();
}

void Hub::Impl::publish_active_requests() {
    auto& active = telemetry.metrics.gauge("http_server_active_requests", "Requests being handled right now.");
    node->publish([this, &active] { active.set(static_cast<std::int64_t>(node->statistics().active_requests)); });
}

// ---- requests ----

task<void> Hub::Impl::handle(Context& context, http::Exchange& exchange) {
    const Instant begun = world.monotonic();
    const Method method = exchange.request().method;
    const auto decoded = http::percent_decode(exchange.request().path()); // one path, however it is escaped
    const std::string_view path = decoded ? std::string_view(*decoded) : exchange.request().path();
    try {
        if (auto allowed = guard->check(exchange.request()); !allowed) {
            const auto done = co_await refuse(context, exchange, std::move(allowed.error()));
            durations_of(done.route).observe(method, done.status, world.monotonic() - begun);
        } else if (own_pages->has(path)) {
            co_await own_pages->answer(context, exchange, path);
        } else {
            const auto done = co_await handle_api(context, exchange);
            durations_of(done.route).observe(method, done.status, world.monotonic() - begun - done.waited);
        }
    } catch (const std::exception& bug) {
        log.error(context, "a request failed", {{"path", path}, {"error", bug.what()}});
        durations_of("").observe(method, 500, world.monotonic() - begun);
        throw; // the server answers 500
    }
}

task<Handled> Hub::Impl::refuse(Context& context, http::Exchange& exchange, Error reason) {
    const auto& request = exchange.request();
    suspicions.warn("possible SECURITY ATTACK: a request was refused that a page in a browser may have caused",
                    {{"reason", reason.message()},
                     {"method", request.method_name},
                     {"path", request.path()},
                     {"peer", exchange.peer().to_string()}});
    co_return Handled{"", co_await respond_problem(context, exchange, std::move(reason))};
}

task<Handled> Hub::Impl::handle_api(Context& context, http::Exchange& exchange) {
    if (auto handled = co_await consul->handle(context, exchange)) co_return *handled;
    if (auto handled = co_await console->handle(context, exchange)) co_return *handled;
    co_return Handled{"", co_await respond_problem(context, exchange, Error(Kind::not_found, "no such path"))};
}

RequestDurations& Hub::Impl::durations_of(std::string_view route) {
    const auto found = durations.find(route);
    if (found != durations.end()) return found->second;
    const bool has_rest = route.ends_with('/') && route.size() > 1;
    return durations.try_emplace(route, telemetry.metrics, std::string(route) + (has_rest ? "{rest...}" : ""))
        .first->second;
}

// ---- the object ----

Hub::Hub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hub::~Hub() = default;

task<Result<std::unique_ptr<Hub>>> Hub::start(Context& context, World& world, Telemetry& telemetry,
                                              HubOptions options) {
    std::unique_ptr<Hub> hub(new Hub(std::unique_ptr<Impl>(new Impl{world, telemetry, std::move(options)})));
    co_await must(hub->impl_->start(context));
    co_return hub;
}

const Address& Hub::address() const { return impl_->node->address(); }

task<Result<void>> Hub::run(Context& stop, std::function<void()> withdrawn) {
    return impl_->node->run(stop, {.withdrawn = std::move(withdrawn)});
}

} // namespace flotilla::hub
