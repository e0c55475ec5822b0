#include <flotilla/service/host.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/channel_consumer.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client_load.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/node/health.hpp>
#include <flotilla/observe/loop_watch.hpp>
#include <flotilla/service/openapi.hpp>
#include <flotilla/service/request/requests_in_flight.hpp>
#include <flotilla/service/request_steps.hpp>
#include <flotilla/service/settings.hpp>
#include <flotilla/store/framework_tables.hpp>

namespace flotilla {

namespace {
constexpr Duration kWithdrawTime = std::chrono::seconds(2);
constexpr Duration kPostHealthEvery = std::chrono::milliseconds(250);
} // namespace

Process::Process(Logger logger)
    : Telemetry(std::move(logger)), in_flight(std::make_unique<RequestsInFlight>()),
      health(std::make_unique<HealthBoard>()) {}
Process::~Process() = default;

struct Host::Impl {
    struct Subscribed {
        TopicUse use;
        EventHandler handler;
    };

    World& world;
    Process& process;
    HostOptions options;
    bool primary;
    Address address;

    http::Client http;
    std::unique_ptr<Registry> registry;
    std::unique_ptr<Bus> bus;
    std::unique_ptr<Database> database;
    Migrations migrations;
    std::vector<DeclaredStatement> statements;
    Backfills backfills;
    HealthChecks health;
    OwnPages own_pages;
    RequestSteps steps;
    std::unique_ptr<JobRunner> jobs;
    std::unique_ptr<OutboxRelay> relay;
    std::vector<Subscribed> subscriptions;
    std::vector<TopicUse> topics;
    std::vector<std::unique_ptr<Consumer>> consumers;
    std::vector<std::unique_ptr<ChannelConsumer>> channel_consumers;
    std::unique_ptr<Calls> calls;
    std::set<std::string, std::less<>> topic_names; ///< what `subscriptions` and `topics` view
    std::set<std::string, std::less<>> known_settings;
    std::function<void()> ready;
    std::function<void()> withdrawn;
    http::Server server;
    LoopWatch watch;
    bool draining = false;
    Event failed;             ///< background work ended with a bug
    std::optional<Error> bug; ///< which one

    Impl(World& w, Process& p, HostOptions o, bool is_primary)
        : world(w), process(p), options(std::move(o)), primary(is_primary), http(w),
          own_pages(
              {.service = options.service, .instance = {}, .version = options.version},
              [this] { return health_report(); }, p.metrics),
          steps(w, p, *p.in_flight, options, with_contracts(own_pages)),
          server(w, [this](Context& request, http::Exchange& exchange) { return steps.handle(request, exchange); },
                 {.body_bytes_max = options.body_bytes_max}),
          watch(w, p.metrics, std::to_string(p.hosts++)) {}

    static OwnPages& with_contracts(OwnPages& pages);
    HealthReport health_report() const;
    void write_contracts();
    void check_endpoints() const;
    void open_registry_and_bus();
    task<Result<void>> check_statements(Context& context);
    Result<void> listen();
    void make_background();
    void make_consumers(const Subscribed& subscribed);
    void make_checks();
    Result<void> inbox_health() const;
    void publish_figures();
    void start(Scope& background);
    void spawn(Scope& background, std::string_view what, task<void> work);
    task<void> watched(std::string_view what, task<void> work);
    void note_bug(std::string_view what, std::string_view why);
    task<void> prune_idempotency(Context& context);
    task<void> post_health(Context& context);
    task<void> drain(Context& root);
    task<Result<void>> serve(Context& context);
    void announce();
};

Host::Host(World& world, Process& process, HostOptions options, bool primary)
    : impl_(std::make_unique<Impl>(world, process, std::move(options), primary)) {}

Host::~Host() {
    while (!parts_.empty())
        parts_.pop_back();
}

World& Host::world() const { return impl_->world; }
const Logger& Host::log() const { return impl_->process.log; }
Metrics& Host::metrics() const { return impl_->process.metrics; }
const HostOptions& Host::options() const { return impl_->options; }
const Address& Host::address() const { return impl_->address; }
http::Client& Host::http_client() { return impl_->http; }
void Host::on_ready(std::function<void()> callback) { impl_->ready = std::move(callback); }
void Host::on_withdrawn(std::function<void()> callback) { impl_->withdrawn = std::move(callback); }

void Host::use(std::unique_ptr<Registry> registry, std::unique_ptr<Bus> bus) {
    impl_->registry = std::move(registry);
    impl_->bus = std::move(bus);
}

Database& Host::database(Migrations migrations, std::initializer_list<Declared> statements, Backfills backfills) {
    if (impl_->database) throw std::logic_error("host.database() was called twice");
    auto& options = impl_->options;
    const auto url =
        options.database.empty() ? sqlite_url(options.data + "/" + options.service + ".db") : options.database;
    auto opened = open_database(impl_->world, url, options.service);
    if (!opened) throw std::runtime_error(opened.error().message());
    impl_->database = std::move(*opened);
    impl_->database->report_to(impl_->process.metrics);
    if (!impl_->database->fully_checked() && impl_->primary) {
        log().warning(
            "the database is too large to be looked through for damage at the start; ./flotilla backup does it",
            {{"database", url}});
    }
    impl_->migrations = migrations;
    for (const auto& declared : statements)
        declared.list(impl_->statements);
    impl_->backfills = backfills;
    impl_->steps.use_database(*impl_->database);
    add_check("database", [this] { return impl_->database->health(); }, true);
    return *impl_->database;
}

Calls& Host::calls(std::initializer_list<Service> services) {
    impl_->open_registry_and_bus();
    if (!impl_->calls)
        impl_->calls = std::make_unique<Calls>(*impl_->registry, impl_->http, impl_->options.host, impl_->process);
    for (const auto& service : services)
        impl_->calls->declare(service);
    return *impl_->calls;
}

void Host::add(std::unique_ptr<EndpointCore> endpoint, bool records) {
    const auto& info = endpoint->info;
    const auto what = [&info] { return std::string(name(info.method)) + " " + std::string(info.path); };
    for (const auto* other : impl_->steps.routes().endpoints()) {
        if (other->service == info.service) continue;
        throw std::logic_error(what() + " is " + std::string(info.service.name) + "'s, " + std::string(other->path) +
                               " is " + std::string(other->service.name) + "'s: a host serves one service");
    }
    if (info.options.idempotent != records) {
        throw std::logic_error(what() +
                               (records ? " answers with Recorded<Response>, but is not declared idempotent"
                                        : " is declared idempotent: its method answers with Recorded<Response>, from "
                                          "Database::answer()"));
    }
    impl_->steps.routes().add(std::move(endpoint));
}

void Host::serve_files(std::string_view prefix, const std::string& folder, http::StaticOptions options) {
    auto files = http::StaticContent::open(folder, std::move(options));
    if (!files) throw std::runtime_error("serving " + std::string(prefix) + ": " + files.error().message());
    impl_->steps.routes().add(prefix, std::move(*files));
}

void Host::subscribe(TopicUse use, EventHandler handler) {
    // Of two consumers in one group only one would ever hear anything.
    const auto same = [&](const Impl::Subscribed& each) { return each.use.topic == use.topic; };
    if (std::ranges::any_of(impl_->subscriptions, same))
        throw std::logic_error("host.on() was called twice for " + std::string(use.topic));
    impl_->subscriptions.push_back({use_topic(use), std::move(handler)});
}

TopicUse Host::use_topic(TopicUse use) {
    use.topic = *impl_->topic_names.emplace(use.topic).first; // made at run time it need not last
    return impl_->topics.emplace_back(use);
}

void Host::add_job(std::string_view kind, JobRunner::Handler handler) {
    if (!impl_->database) throw std::logic_error("host.perform() needs host.database() first");
    if (!impl_->jobs) {
        impl_->jobs =
            std::make_unique<JobRunner>(impl_->world, *impl_->database, impl_->process.log, impl_->process.metrics,
                                        JobRunner::Options{.lag_max = impl_->options.lag_max});
    }
    impl_->jobs->handle(std::string(kind), std::move(handler));
}

void Host::read_settings(const TypeDescriptor& type, void* settings) {
    read_settings_into(type, settings, impl_->options.settings, impl_->known_settings);
}

void Host::add_check(std::string name, std::function<Result<void>()> check, bool required) {
    impl_->health.add(std::move(name), std::move(check), required);
}

void Host::Impl::open_registry_and_bus() {
    if (!registry) {
        RegistryOptions registry_options{.url = options.registry == "none" ? "static:" : options.registry,
                                         .cache_file = options.data + "/" + options.service + ".instances.json",
                                         .host = options.host};
        auto opened = open_registry(world, http, process.log, std::move(registry_options));
        if (!opened) throw std::runtime_error(opened.error().message());
        registry = std::move(*opened);
    }
    if (!bus) {
        auto opened = open_bus(world, options.bus);
        if (!opened) throw std::runtime_error(opened.error().message());
        bus = std::move(*opened);
    }
}

OwnPages& Host::Impl::with_contracts(OwnPages& pages) {
    for (const auto* path : {"/openapi.json", "/asyncapi.json"})
        pages.add_document(path, "application/json", {});
    return pages;
}

void Host::Impl::write_contracts() {
    const auto endpoints = steps.routes().endpoints();
    own_pages.add_document("/openapi.json", "application/json",
                           openapi_document(options.service, options.version, endpoints, options.body_bytes_max));
    own_pages.add_document("/asyncapi.json", "application/json",
                           asyncapi_document(options.service, options.version, topics));
}

void Host::Impl::check_endpoints() const {
    for (const auto* endpoint : steps.routes().endpoints()) {
        if (endpoint->options.idempotent && !database)
            throw std::logic_error(std::string(endpoint->path) + " is declared idempotent: that needs host.database()");
    }
}

/// This loop's checks are the process's; other loops answer what the primary one posted.
HealthReport Host::Impl::health_report() const {
    if (primary) return health.report(draining);
    auto report = process.health->last(world.monotonic());
    if (draining) report.status = "unavailable";
    return report;
}

task<Result<void>> Host::prepare(Context& context) {
    impl_->open_registry_and_bus();
    if (auto known = check_settings(impl_->options.settings, impl_->known_settings); !known) co_return known;
    if (!impl_->subscriptions.empty() && !impl_->database) throw std::logic_error("host.on() needs host.database()");
    if (impl_->database && impl_->primary) {
        co_await must(impl_->database->migrate(context, "flotilla", framework_migrations()));
        co_await must(impl_->database->migrate(context, "service", impl_->migrations));
        co_await must(impl_->check_statements(context));
        co_await must(run_backfills(context, *impl_->database, "service", impl_->backfills, impl_->process.log));
    }
    impl_->check_endpoints();
    impl_->write_contracts();
    co_await must(impl_->listen());
    impl_->make_background();
    co_return Result<void>();
}

task<Result<void>> Host::Impl::check_statements(Context& context) {
    for (const auto& [sql, row, where] : statements)
        process.log.debug(context, "statement", {{"sql", sql}, {"file", where.file_name()}, {"line", where.line()}});
    return database->check(context, statements);
}

Result<void> Host::Impl::listen() {
    const auto wanted = Address::tcp(options.host, options.port);
    const bool shared = options.loops > 1;
    if (shared && primary && options.port != 0) {
        // SO_REUSEPORT would let us share the port with a stranger; listening without it finds out.
        auto alone = world.listen(wanted);
        if (!alone) return std::move(alone.error());
    }
    auto listening = server.listen(wanted, {.reuse_port = shared});
    if (!listening) return std::move(listening.error());
    address = *listening;
    if (options.instance.empty()) options.instance = options.service + "-" + std::to_string(address.port);
    own_pages.set_instance(options.instance);
    if (!primary || options.unix_socket.empty()) return {};
    auto local = server.listen(Address::unix_socket(options.unix_socket));
    if (!local) return std::move(local.error());
    return {};
}

void Host::Impl::make_consumers(const Subscribed& subscribed) {
    const std::string topic(subscribed.use.topic);
    for (std::uint32_t partition = 0; partition < subscribed.use.partitions; ++partition) {
        consumers.push_back(std::make_unique<Consumer>(world, *database, *bus, topic, partition, options.service,
                                                       options.instance, subscribed.handler, process.log,
                                                       process.metrics, Consumer::Options{.lag_max = options.lag_max}));
    }
    if (!subscribed.use.pubsub) return;
    channel_consumers.push_back(std::make_unique<ChannelConsumer>(world, *database, *bus, topic, options.service,
                                                                  options.instance, subscribed.handler, process.log,
                                                                  process.metrics, ChannelConsumer::Options{}));
}

void Host::Impl::make_background() {
    if (database && primary) {
        relay = std::make_unique<OutboxRelay>(world, *database, *bus, options.service, process.log, process.metrics,
                                              OutboxRelay::Options{.lag_max = options.lag_max});
        for (const auto& subscribed : subscriptions)
            make_consumers(subscribed);
    }
    make_checks();
    publish_figures();
}

/// What belongs to this loop and a scrape on another one could not read.
void Host::Impl::publish_figures() {
    auto& connections = process.metrics.gauge("http_server_connections", "Connections of clients, idle ones included.",
                                              {{"loop", watch.loop()}});
    watch.publish(
        [this, &connections] { connections.set(static_cast<std::int64_t>(server.statistics().connections)); });
    if (!calls) return;
    std::map<std::string, http::ClientLoadGauges, std::less<>> gauges;
    calls->for_each_load([&](const std::string& service, http::Client::Load) {
        gauges.try_emplace(service, process.metrics, watch.loop(), service);
    });
    watch.publish([this, gauges = std::move(gauges)]() mutable {
        calls->for_each_load(
            [&](const std::string& service, http::Client::Load load) { gauges.at(service).set(load); });
    });
}

void Host::Impl::make_checks() {
    health.add("registry", [this] { return registry->health(); }, false);
    if (!relay) return;
    health.add("bus", [this] { return bus->health(); }, false);
    health.add("outbox", [this] { return relay->health(); }, false);
    if (!consumers.empty()) health.add("inbox", [this] { return inbox_health(); }, false);
    if (jobs) health.add("jobs", [this] { return jobs->health(); }, false);
}

Result<void> Host::Impl::inbox_health() const {
    std::string what;
    for (const auto& consumer : consumers) {
        const auto fine = consumer->health();
        if (!fine) what += (what.empty() ? "" : "; ") + fine.error().message();
    }
    if (what.empty()) return {};
    return Error(Kind::unavailable, std::move(what));
}

task<void> Host::Impl::prune_idempotency(Context& context) {
    while (!context.cancelled()) {
        auto forgotten = co_await forget_recorded_responses(context, *database, std::chrono::hours(24));
        if (!forgotten && !context.cancelled()) {
            process.log.warning(context, "could not prune idempotency records",
                                {{"error", forgotten.error().message()}});
        }
        if (!co_await sleep_for(context, std::chrono::minutes(10))) co_return;
    }
}

task<void> Host::Impl::post_health(Context& context) {
    do {
        process.health->post(health.report(draining), world.monotonic());
    } while (co_await sleep_for(context, kPostHealthEvery));
}

void Host::Impl::announce() {
    // Unix sockets refuse SO_REUSEPORT: all callers would meet the primary loop. TCP spreads them over the loops.
    registry->announce({.id = options.instance,
                        .service = options.service,
                        .address = address,
                        .unix_socket = options.loops > 1 ? std::string() : options.unix_socket,
                        .host = options.host,
                        .version = options.version});
}

void Host::Impl::note_bug(std::string_view what, std::string_view why) {
    process.log.error("ended with a bug; the service stops", {{"what", what}, {"why", why}});
    bug = Error(Kind::internal, std::string(what) + " ended with a bug: " + std::string(why));
    failed.notify();
}

/// A service without its relay or its consumers would look alive and lose its purpose: a bug there ends the host.
task<void> Host::Impl::watched(std::string_view what, task<void> work) {
    try {
        co_await std::move(work);
    } catch (const std::exception& exception) {
        note_bug(what, exception.what());
    } catch (...) {
        note_bug(what, "no std::exception");
    }
}

void Host::Impl::spawn(Scope& background, std::string_view what, task<void> work) {
    background.spawn(watched(what, std::move(work)));
}

void Host::Impl::start(Scope& background) {
    Context& context = background.context();
    if (relay) {
        spawn(background, "the outbox relay", relay->run(context));
        spawn(background, "the pruning of idempotency records", prune_idempotency(context));
    }
    if (relay && jobs) spawn(background, "the job runner", jobs->run(context));
    for (auto& consumer : consumers)
        spawn(background, "a consumer", consumer->run(context));
    for (auto& consumer : channel_consumers)
        spawn(background, "a consumer of a channel", consumer->run(context));
    spawn(background, "the registry client", registry->run(context));
    if (primary && options.loops > 1) spawn(background, "the health report", post_health(context));
    spawn(background, "the HTTP server", server.run(context));
    watch.start();
    if (primary) {
        announce();
        process.log.info("ready", {{"address", address.to_string()}, {"instance", options.instance}});
    }
    if (ready) ready();
}

// Callers stop coming, then requests in flight finish.
task<void> Host::Impl::drain(Context& root) {
    const auto end = world.monotonic() + options.drain;
    draining = true;
    if (primary) {
        if (options.loops > 1) process.health->post(health.report(true), world.monotonic());
        Context withdrawing(root, kWithdrawTime);
        auto done = co_await registry->withdraw(withdrawing);
        if (!done) process.log.warning("could not withdraw from the registry", {{"error", done.error().message()}});
    }
    if (withdrawn) withdrawn();
    co_await server.shutdown(root, std::max(end - world.monotonic(), Duration::zero()));
}

task<Result<void>> Host::Impl::serve(Context& context) {
    // Background work outlives the stop signal until the last request is answered, so it hangs on a root of its own.
    Context root(world);
    Scope background(root);
    try {
        start(background);
        (void)co_await failed.wait(context); // ends with the stop signal, or with a bug
        co_await drain(root);
    } catch (const std::exception& exception) {
        note_bug("serving", exception.what());
    }
    background.cancel(Error(Kind::unavailable, "shutting down"));
    co_await background.join();
    if (primary) process.log.info("stopped");
    if (bug) co_return std::move(*bug);
    co_return Result<void>();
}

task<Result<void>> Host::run(Context& context) { return impl_->serve(context); }

} // namespace flotilla
