#include <flotilla/service/host.hpp>

#include <map>
#include <set>
#include <stdexcept>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/service/request_pipeline.hpp>
#include <flotilla/service/requests_in_flight.hpp>
#include <flotilla/service/settings.hpp>
#include <flotilla/store/framework_tables.hpp>

namespace flotilla {

Process::Process(Logger logger) : log(std::move(logger)), in_flight(std::make_unique<RequestsInFlight>()) {}
Process::~Process() = default;

struct Host::Impl {
    struct Subscribed {
        std::string topic;
        std::uint32_t partitions;
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
    HealthChecks health;
    RequestPipeline pipeline;
    std::unique_ptr<JobRunner> jobs;
    std::unique_ptr<OutboxRelay> relay;
    std::vector<Subscribed> subscriptions;
    std::vector<std::unique_ptr<Consumer>> consumers;
    std::map<std::string, std::unique_ptr<Client>, std::less<>> clients;
    std::set<std::string, std::less<>> known_settings;
    std::function<void()> ready;

    Impl(World& w, Process& p, HostOptions o, bool is_primary)
        : world(w), process(p), options(std::move(o)), primary(is_primary), http(w), pipeline(w, p, options, health) {}

    void open_registry_and_bus();
    void make_background();
    task<void> prune_idempotency(Context& context);
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

void Host::use(std::unique_ptr<Registry> registry, std::unique_ptr<Bus> bus) {
    impl_->registry = std::move(registry);
    impl_->bus = std::move(bus);
}

Database& Host::database(Migrations migrations) {
    if (impl_->database) throw std::logic_error("host.database() was called twice");
    auto& options = impl_->options;
    const auto url =
        options.database.empty() ? "sqlite:" + options.data + "/" + options.service + ".db" : options.database;
    auto opened = open_database(impl_->world, url, options.service);
    if (!opened) throw std::runtime_error(opened.error().message());
    impl_->database = std::move(*opened);
    impl_->migrations = migrations;
    impl_->pipeline.use_database(*impl_->database);
    add_check("database", [this] { return impl_->database->health(); }, true);
    return *impl_->database;
}

Client& Host::client(const Service& service) {
    impl_->open_registry_and_bus();
    auto& slot = impl_->clients[std::string(service.name)];
    if (!slot) slot = std::make_unique<Client>(service, *impl_->registry, impl_->http, impl_->options.host);
    return *slot;
}

void Host::add(std::unique_ptr<detail::EndpointHandler> handler) { impl_->pipeline.add(std::move(handler)); }

void Host::subscribe(std::string_view topic, std::uint32_t partitions, EventHandler handler) {
    impl_->subscriptions.push_back({std::string(topic), partitions, std::move(handler)});
}

void Host::add_job(std::string_view kind, JobRunner::Handler handler) {
    if (!impl_->database) throw std::logic_error("host.perform() needs host.database() first");
    if (!impl_->jobs) {
        impl_->jobs =
            std::make_unique<JobRunner>(impl_->world, *impl_->database, impl_->process.log, impl_->process.metrics);
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

task<Result<void>> Host::prepare(Context& context) {
    impl_->open_registry_and_bus();
    if (auto known = check_settings(impl_->options.settings, impl_->known_settings); !known) co_return known;
    if (!impl_->subscriptions.empty() && !impl_->database) throw std::logic_error("host.on() needs host.database()");
    if (impl_->database && impl_->primary) {
        co_await must(impl_->database->migrate(context, "flotilla", framework_migrations()));
        co_await must(impl_->database->migrate(context, "service", impl_->migrations));
    }
    co_return Result<void>();
}

void Host::Impl::make_background() {
    health.add("registry", [this] { return registry->health(); }, false);
    if (!database || !primary) return;
    health.add("bus", [this] { return bus->health(); }, false);
    relay = std::make_unique<OutboxRelay>(world, *database, *bus, options.service, process.log, process.metrics);
    health.add(
        "outbox",
        [this]() -> Result<void> {
            const auto& now = relay->statistics();
            if (now.last_error.empty()) return {};
            return Error(Kind::unavailable, std::to_string(now.waiting) + " events wait: " + now.last_error);
        },
        false);
    if (jobs) {
        health.add(
            "jobs",
            [this]() -> Result<void> {
                const auto& now = jobs->statistics();
                if (now.last_error.empty() && now.parked == 0) return {};
                return Error(Kind::unavailable, std::to_string(now.queued) + " jobs wait, " +
                                                    std::to_string(now.parked) + " are parked: " + now.last_error);
            },
            false);
    }
    for (const auto& subscribed : subscriptions) {
        for (std::uint32_t partition = 0; partition < subscribed.partitions; ++partition) {
            consumers.push_back(std::make_unique<Consumer>(world, *database, *bus, subscribed.topic, partition,
                                                           options.service, options.instance, subscribed.handler,
                                                           process.log, process.metrics, Consumer::Options{}));
        }
    }
}

task<void> Host::Impl::prune_idempotency(Context& context) {
    while (!context.cancelled()) {
        auto forgotten = co_await forget_recorded_responses(context, *database, std::chrono::hours(24));
        if (!forgotten && !context.cancelled()) {
            process.log.warning(context, "could not prune idempotency records",
                                {{"error", forgotten.error().message()}});
        }
        auto slept = co_await sleep_for(context, std::chrono::minutes(10));
        if (!slept) co_return;
    }
}

void Host::Impl::announce() {
    registry->announce({.id = options.instance,
                        .service = options.service,
                        .address = address,
                        .unix_socket = options.unix_socket,
                        .host = options.host,
                        .version = options.version});
}

task<Result<void>> Host::Impl::serve(Context& context) {
    http::Server server(
        world, [this](Context& request, http::Exchange& exchange) { return pipeline.handle(request, exchange); });
    auto listening = server.listen(Address::tcp(options.host, options.port), {.reuse_port = options.loops > 1});
    if (!listening)
        co_return std::move(listening.error())
            .with_context("cannot listen on " + options.host + ":" + std::to_string(options.port));
    address = *listening;
    if (options.instance.empty()) options.instance = options.service + "-" + std::to_string(address.port);
    pipeline.set_instance(options.instance);
    if (primary && !options.unix_socket.empty()) {
        auto local = server.listen(Address::unix_socket(options.unix_socket));
        if (!local) co_return std::move(local.error()).with_context("cannot listen on " + options.unix_socket);
    }
    make_background();

    // Background work outlives the stop signal until the last request is answered, so it hangs on a root of its own.
    Context background_root(world);
    Scope background(background_root);
    if (relay) background.spawn(relay->run(background.context()));
    if (jobs) background.spawn(jobs->run(background.context()));
    for (auto& consumer : consumers)
        background.spawn(consumer->run(background.context()));
    if (database && primary) background.spawn(prune_idempotency(background.context()));
    background.spawn(registry->run(background.context()));
    background.spawn(server.run(background.context()));
    if (primary) {
        announce();
        process.log.info("ready", {{"address", address.to_string()}, {"instance", options.instance}});
    }
    if (ready) ready();

    Event never;
    (void)co_await never.wait(context); // ends when the context is cancelled: that is the stop signal

    // Shutdown order: callers stop coming, requests in flight finish, then what they left behind is handed on.
    pipeline.set_draining();
    Context drain(background_root, options.drain);
    if (primary) {
        auto withdrawn = co_await registry->withdraw(drain);
        if (!withdrawn)
            process.log.warning("could not withdraw from the registry", {{"error", withdrawn.error().message()}});
    }
    co_await server.shutdown(background_root, options.drain);
    background.cancel(Error(Kind::unavailable, "shutting down"));
    co_await background.join();
    if (primary) process.log.info("stopped");
    co_return Result<void>();
}

task<Result<void>> Host::run(Context& context) { return impl_->serve(context); }

} // namespace flotilla
