#include "hub/hub.hpp"

#include <csignal>
#include <map>
#include <stdexcept>

#include <flotilla/aio/event.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/observe/loop_watch.hpp>
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

struct Readiness {
    std::string status; // "ok" or "unavailable"
    std::map<std::string, std::string> checks;
};

/// Consul's blocking queries wait up to ten minutes, and a sixteenth.
constexpr Duration kRequestTimeout = std::chrono::minutes(11);

http::ServerOptions server_options() {
    http::ServerOptions options;
    options.request_timeout = kRequestTimeout;
    return options;
}

} // namespace

struct Hub::Impl {
    HubOptions options;
    Logger logger;
    Metrics metrics = {};
    Loop loop = {};
    Event stopping = {};
    SuspicionLog suspicions{loop.world(), logger};
    bool stop_requested = false;
    bool draining = false;
    int exit_code = 0;

    // Made by serve(), in this order, and taken down in the reverse one.
    std::unique_ptr<MailStore> mails = {};
    std::unique_ptr<RedisThread> bus = {};
    std::unique_ptr<SmtpServer> smtp = {};
    std::unique_ptr<http::Client> client = {};
    std::unique_ptr<ConsulApi> consul = {};
    std::unique_ptr<ConsoleApi> console = {};
    std::unique_ptr<BrowserGuard> guard = {};
    std::unique_ptr<http::Server> server = {};
    std::unique_ptr<LoopWatch> watch = {};
    std::map<std::string_view, RequestDurations> durations = {}; ///< by route, made on first use

    World& world() { return loop.world(); }
    void request_stop(int code) {
        stop_requested = true;
        exit_code = std::max(exit_code, code);
        stopping.notify();
    }

    task<void> serve(Context& context);
    task<Result<Ports>> start(Context& context, const DataFolder& folder);
    Result<std::uint16_t> start_bus(const DataFolder& folder);
    Result<Ports> announce(const DataFolder& folder, Ports ports);
    HubDescription describe(const Ports& ports) const;
    void watch_loop();
    task<void> stop_all(Context& context, Scope& services, Scope& serving);

    task<void> handle(Context& context, http::Exchange& exchange);
    task<Handled> refuse(Context& context, http::Exchange& exchange, Error reason);
    task<Handled> handle_api(Context& context, http::Exchange& exchange);
    RequestDurations& durations_of(std::string_view route);
    task<void> health(Context& context, http::Exchange& exchange);
    task<void> scrape(Context& context, http::Exchange& exchange);
};

// ---- start and end ----

Result<std::uint16_t> Hub::Impl::start_bus(const DataFolder& folder) {
    RedisThreadOptions bus_options;
    bus_options.address = Address::tcp(options.host, options.redis_port);
    bus_options.file = folder.path() / "bus.db";
    bus_options.limits = options.bus_limits;
    const auto lost = [this] {
        world().post([this] {
            logger.error("the bus lost its file: the hub ends, so that it is started anew from what is on disk");
            request_stop(1);
        });
    };
    auto started = RedisThread::start(std::move(bus_options), logger, metrics, lost);
    if (!started) return std::move(started.error()).with_context("the bus");
    bus = std::move(*started);
    return bus->address().port;
}

task<Result<Ports>> Hub::Impl::start(Context& context, const DataFolder& folder) {
    Ports ports{};
    mails = co_await must(MailStore::open(context, folder.path().string()));
    smtp = std::make_unique<SmtpServer>(world(), *mails, logger, metrics);
    const Address smtp_address = co_await must(smtp->listen(Address::tcp(options.host, options.smtp_port)));
    ports.smtp = smtp_address.port;
    ports.redis = co_await must(start_bus(folder));
    client = std::make_unique<http::Client>(world());
    consul = std::make_unique<ConsulApi>(world(), *client, folder.path().string(), logger);
    server = std::make_unique<http::Server>(
        world(), [this](Context& each, http::Exchange& exchange) { return handle(each, exchange); }, server_options());
    const Address http_address = co_await must(server->listen(Address::tcp(options.host, options.http_port)));
    ports.http = http_address.port;
    const bool local = is_loopback(http_address);
    guard = std::make_unique<BrowserGuard>(
        BrowserGuard::Options{options.host, local, machine_name(), options.allowed_hosts});
    if (!local) {
        logger.warning("the hub listens beyond this machine, and nothing authenticates: everybody who can connect can "
                       "read mails and change registry and bus; see to it that only the fleet can",
                       {{"host", options.host}});
    }
    console = std::make_unique<ConsoleApi>(*mails, describe(ports));
    co_return announce(folder, ports);
}

HubDescription Hub::Impl::describe(const Ports& ports) const {
    const auto at = [&](std::uint16_t port) { return Address::tcp(options.host, port).to_string(); };
    return {"flotilla-hub",
            {{"consul", at(ports.http), "registry, health, KV configuration: /v1/..."},
             {"redis", at(ports.redis), "events: streams with groups, pub/sub; leases and limiters"},
             {"smtp", at(ports.smtp), "mail catcher; read it at /mail/messages"},
             {"http", at(ports.http), "/livez /readyz /healthz /metrics"}}};
}

Result<Ports> Hub::Impl::announce(const DataFolder& folder, Ports ports) {
    if (auto written = folder.write_file("ports.json", json::write(ports) + "\n"); !written)
        return std::move(written.error());
    for (const ServedProtocol& protocol : describe(ports).protocols) {
        logger.info("listening", {{"protocol", protocol.name}, {"address", protocol.address}});
    }
    return ports;
}

task<void> Hub::Impl::serve(Context& context) {
    auto folder = DataFolder::open(options.data);
    Result<Ports> ports = folder ? co_await start(context, *folder) : Result<Ports>(std::move(folder.error()));
    if (!ports) {
        logger.error("the hub cannot start", {{"error", ports.error().message()}});
        exit_code = 1;
        co_return;
    }
    Scope services(context);
    Scope serving(context);
    services.spawn(consul->run(services.context()));
    services.spawn(smtp->run(services.context()));
    serving.spawn(server->run(serving.context()));
    watch_loop();
    // Only a stop request ends this: the context has no deadline.
    while (!stop_requested)
        (void)co_await stopping.wait(context);
    co_await stop_all(context, services, serving);
}

void Hub::Impl::watch_loop() {
    watch = std::make_unique<LoopWatch>(world(), metrics, "hub");
    auto& connections = metrics.gauge("http_server_connections", "Connections of clients, idle ones included.",
                                      {{"loop", watch->loop()}});
    auto& active = metrics.gauge("http_server_active_requests", "Requests being handled right now.");
    watch->publish([this, &connections, &active] {
        const auto& now = server->statistics();
        connections.set(static_cast<std::int64_t>(now.connections));
        active.set(static_cast<std::int64_t>(now.active_requests));
    });
    watch->start();
}

/// The registry first, so that its blocking queries are answered; the bus last, so that nobody misses it meanwhile.
task<void> Hub::Impl::stop_all(Context& context, Scope& services, Scope& serving) {
    draining = true;
    logger.info("stopping");
    services.cancel(Error(Kind::unavailable, "the hub is shutting down"));
    co_await services.join();
    co_await server->shutdown(context, options.drain);
    co_await serving.join();
    bus->stop();
    watch.reset();
    server.reset();
    consul.reset();
    client.reset();
    smtp.reset();
    mails.reset();
    logger.info("stopped");
}

// ---- requests ----

task<void> Hub::Impl::handle(Context& context, http::Exchange& exchange) {
    const Instant begun = world().monotonic();
    const Method method = exchange.request().method;
    const auto decoded = http::percent_decode(exchange.request().path()); // one path, however it is escaped
    const std::string_view path = decoded ? std::string_view(*decoded) : exchange.request().path();
    try {
        if (auto allowed = guard->check(exchange.request()); !allowed) {
            const auto done = co_await refuse(context, exchange, std::move(allowed.error()));
            durations_of(done.route).observe(method, done.status, world().monotonic() - begun);
        } else if (path == "/livez") {
            co_await respond_json(context, exchange, 200, R"({"status":"ok"})");
        } else if (path == "/readyz" || path == "/healthz") {
            co_await health(context, exchange);
        } else if (path == "/metrics") {
            co_await scrape(context, exchange);
        } else {
            const auto done = co_await handle_api(context, exchange);
            durations_of(done.route).observe(method, done.status, world().monotonic() - begun - done.waited);
        }
    } catch (const std::exception& bug) {
        logger.error(context, "a request failed", {{"path", path}, {"error", bug.what()}});
        durations_of("").observe(method, 500, world().monotonic() - begun);
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
    return durations.try_emplace(route, metrics, std::string(route) + (has_rest ? "{rest...}" : "")).first->second;
}

task<void> Hub::Impl::health(Context& context, http::Exchange& exchange) {
    Readiness readiness{"ok", {}};
    const auto check = [&](const std::string& name, const Result<void>& outcome) {
        readiness.checks[name] = outcome ? "ok" : outcome.error().message();
        if (!outcome) readiness.status = "unavailable";
    };
    check("registry", consul->health());
    check("mail", mails->health());
    check("bus", bus->health());
    if (draining) check("hub", Error(Kind::unavailable, "shutting down"));
    co_await respond_json(context, exchange, readiness.status == "ok" ? 200 : 503, json::write(readiness));
}

task<void> Hub::Impl::scrape(Context& context, http::Exchange& exchange) {
    http::ResponseHead head;
    head.headers.add("Content-Type", "text/plain; version=0.0.4");
    (void)co_await exchange.respond(context, head, metrics.prometheus_text()); // the peer may have gone
}

// ---- the object ----

Hub::Hub(HubOptions options, Logger logger) : impl_(new Impl{std::move(options), std::move(logger)}) {}
Hub::~Hub() = default;

int Hub::run() {
    Impl& impl = *impl_;
    impl.loop.on_signals({SIGTERM, SIGINT}, [&impl](int) { impl.request_stop(0); });
    Context context(impl.world());
    impl.loop.run_until_done(impl.serve(context));
    return impl.exit_code;
}

void Hub::stop() {
    impl_->world().post([impl = impl_.get()] { impl->request_stop(0); });
}

} // namespace flotilla::hub
