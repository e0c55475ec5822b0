#include <flotilla/service/host.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/http/client_load.hpp>
#include <flotilla/node/fault_file.hpp>
#include <flotilla/node/node.hpp>
#include <flotilla/resilience/target_report.hpp>
#include <flotilla/service/database_work.hpp>
#include <flotilla/service/openapi.hpp>
#include <flotilla/service/request/requests_in_flight.hpp>
#include <flotilla/service/request_steps.hpp>
#include <flotilla/service/service_node.hpp>
#include <flotilla/service/settings.hpp>
#include <flotilla/store/framework_tables.hpp>

namespace flotilla {
namespace {

constexpr const char* kOpenApiPath = "/openapi.json";

/// What a declaration says otherwise than the method that serves it; null: nothing.
const char* difference(const EndpointInfo& endpoint, const AnswerForm& answer) {
    const auto& declared = endpoint.options;
    if (declared.idempotent && !answer.recorded)
        return " is declared idempotent: its method answers with Recorded<Response>, from Database::answer()";
    if (answer.recorded && !declared.idempotent)
        return " answers with Recorded<Response>, but is not declared idempotent";
    if (answer.versioned && !declared.versioned) return " answers with a version, but is not declared versioned";
    const bool changes = changes_versioned(endpoint.method, declared);
    if (changes && !answer.changed)
        return " is declared versioned and changes the resource: its method answers with Changed<Response>, from "
               "Transaction::change()";
    if (declared.versioned && !answer.versioned)
        return " is declared versioned: its method answers with Versioned<Response>";
    if (answer.changed && !changes) return " answers with Changed<Response>, but changes no resource that there is";
    return nullptr;
}

} // namespace

Process::Process(Logger logger) : Telemetry(std::move(logger)), in_flight(std::make_unique<RequestsInFlight>()) {}
Process::~Process() = default;

struct Host::Impl {
    World& world;
    Process& process;
    HostOptions options;
    Lane lane;

    http::Client http;
    std::unique_ptr<Registry> registry;
    std::unique_ptr<Bus> bus;
    std::unique_ptr<Database> database;
    Migrations migrations;
    std::vector<DeclaredStatement> statements;
    Backfills backfills;
    HealthChecks health; ///< until the node has it
    OwnPages own_pages;
    RequestSteps steps;
    DatabaseDuties duties; ///< until the database's work has them
    std::unique_ptr<DatabaseWork> database_work;
    std::unique_ptr<FaultFile> faults; ///< null: this fleet was not started for them
    std::vector<TopicUse> topics;
    std::unique_ptr<Targets> targets; ///< of its calls
    std::unique_ptr<Calls> calls;
    std::set<std::string, std::less<>> topic_names; ///< what `duties` and `topics` view
    std::set<std::string, std::less<>> known_settings;
    std::unique_ptr<Node> node; ///< once it listens

    Impl(World& w, Process& p, HostOptions o, Lane l, Engines engines)
        : world(w), process(p), options(std::move(o)), lane(l), http(w), registry(std::move(engines.registry)),
          bus(std::move(engines.bus)),
          own_pages(
              {.service = options.node.service, .instance = {}, .version = options.node.version},
              [this] { return node->health(); }, p.metrics),
          steps(w, p, *p.in_flight, options, with_pages(own_pages), std::to_string(l.number)) {}

    OwnPages& with_pages(OwnPages& pages);
    void write_contracts();
    void check_endpoints() const;
    void check_targets() const;
    void open_registry_and_bus();
    task<Result<void>> check_statements(Context& context);
    Result<void> listen();
    void make_calls();
    void add_parts();
    void add_database_work();
    void add_faults();
    void publish_figures();
    void show_targets();
};

Host::Host(World& world, Process& process, HostOptions options, Lane lane, Engines engines)
    : impl_(std::make_unique<Impl>(world, process, std::move(options), lane, std::move(engines))) {}

Host::~Host() {
    while (!parts_.empty())
        parts_.pop_back();
}

World& Host::world() const { return impl_->world; }
const Logger& Host::log() const { return impl_->process.log; }
Metrics& Host::metrics() const { return impl_->process.metrics; }
const HostOptions& Host::options() const { return impl_->options; }
Node& Host::node() const { return *impl_->node; }

Database& Host::database(Migrations migrations, std::initializer_list<Declared> statements, Backfills backfills) {
    if (impl_->database) throw std::logic_error("host.database() was called twice");
    auto& options = impl_->options;
    const auto& service = options.node.service;
    const auto url =
        options.database.empty() ? sqlite_url(options.node.data + "/" + service + ".db") : options.database;
    auto opened = open_database(impl_->world, url, service);
    if (!opened) throw std::runtime_error(opened.error().message());
    impl_->database = std::move(*opened);
    impl_->database->report_to(impl_->process.metrics);
    if (!impl_->database->fully_checked() && impl_->lane.primary()) {
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

void Host::Impl::make_calls() {
    targets = std::make_unique<Targets>(
        world, http, *registry, process.retry_budgets, process,
        TargetsOptions{.this_host = options.node.host, .zone = options.node.zone, .configuration = options.targets});
    calls = std::make_unique<Calls>(*targets);
}

Calls& Host::calls(std::initializer_list<Service> services) {
    impl_->open_registry_and_bus();
    if (!impl_->calls) impl_->make_calls();
    for (const auto& service : services)
        impl_->calls->declare(service);
    return *impl_->calls;
}

void Host::add(std::unique_ptr<EndpointCore> endpoint, AnswerForm answer) {
    const auto& info = endpoint->info;
    const auto what = [&info] { return std::string(name(info.method)) + " " + std::string(info.path); };
    for (const auto* other : impl_->steps.routes().endpoints()) {
        if (other->service == info.service) continue;
        throw std::logic_error(what() + " is " + std::string(info.service.name) + "'s, " + std::string(other->path) +
                               " is " + std::string(other->service.name) + "'s: a host serves one service");
    }
    if (const auto wrong = difference(info, answer)) throw std::logic_error(what() + wrong);
    impl_->steps.routes().add(std::move(endpoint));
}

void Host::serve_files(std::string_view prefix, const std::string& folder, http::StaticOptions options) {
    auto files = http::StaticContent::open(folder, std::move(options));
    if (!files) throw std::runtime_error("serving " + std::string(prefix) + ": " + files.error().message());
    impl_->steps.routes().add(prefix, std::move(*files));
}

void Host::subscribe(TopicUse use, EventHandler handler, std::string_view consumer) {
    auto& subscriptions = impl_->duties.subscriptions;
    const auto heard = std::ranges::find(subscriptions, use.topic, [](const auto& each) { return each.topic.topic; });
    use = heard == subscriptions.end() ? use_topic(use) : heard->topic;
    impl_->duties.subscribe(impl_->options.node.service, use, std::move(handler), consumer);
}

TopicUse Host::use_topic(TopicUse use) {
    use.topic = *impl_->topic_names.emplace(use.topic).first; // made at run time it need not last
    return impl_->topics.emplace_back(use);
}

void Host::add_job(std::string_view kind, JobRunner::Handler handler) {
    if (!impl_->database) throw std::logic_error("host.perform() needs host.database() first");
    if (!impl_->duties.jobs.try_emplace(std::string(kind), std::move(handler)).second)
        throw std::logic_error("host.perform() was called twice for " + std::string(kind));
}

void Host::read_settings(const TypeDescriptor& type, void* settings) {
    read_settings_into(type, settings, impl_->options.settings, impl_->options.flag_variables, impl_->known_settings);
}

void Host::add_check(std::string name, std::function<Result<void>()> check, bool required) {
    impl_->health.add(std::move(name), std::move(check), required);
}

void Host::Impl::open_registry_and_bus() {
    if (!registry) {
        auto opened = open_registry(world, http, process, options.node);
        if (!opened) throw std::runtime_error(opened.error().message());
        registry = std::move(*opened);
    }
    if (!bus) {
        auto opened = open_bus(world, options.bus);
        if (!opened) throw std::runtime_error(opened.error().message());
        bus = std::move(*opened);
    }
}

/// Their paths are routed from the start; the contracts' text follows.
OwnPages& Host::Impl::with_pages(OwnPages& pages) {
    for (const auto* path : {kOpenApiPath, "/asyncapi.json"})
        pages.add_document(path, "application/json", {});
    pages.add_page(std::string(kTargetsPath), "application/json", [this] {
        TargetsReport report{.loop = node->loop_label()};
        if (targets) report = report_targets(*targets, report.loop, world.monotonic());
        return json::write(report);
    });
    return pages;
}

void Host::Impl::write_contracts() {
    const auto& [service, version] = std::tie(options.node.service, options.node.version);
    own_pages.add_document(kOpenApiPath, "application/json",
                           openapi_document(service, version, steps.routes().endpoints(), options.body_bytes_max));
    own_pages.add_document("/asyncapi.json", "application/json", asyncapi_document(service, version, topics));
}

void Host::Impl::check_endpoints() const {
    for (const auto* endpoint : steps.routes().endpoints()) {
        if (endpoint->options.idempotent && !database)
            throw std::logic_error(std::string(endpoint->path) + " is declared idempotent: that needs host.database()");
    }
}

/// Options of services that this one does not call are no mistake: a fleet's are for all its services. Unless it looks
/// like one.
void Host::Impl::check_targets() const {
    if (!targets || !lane.primary()) return;
    std::vector<std::string> called;
    for (const auto& [service, target] : targets->all())
        called.push_back(service);
    for (const auto& service : options.targets.services()) {
        const auto meant = std::ranges::find(called, service) == called.end() ? nearest_name(service, called) : "";
        if (meant.empty()) continue;
        process.log.warning("options of a target that is not called", {{"target", service}, {"did_you_mean", meant}});
    }
}

task<Result<void>> Host::prepare(Context& context) {
    impl_->open_registry_and_bus();
    if (auto known = check_settings(impl_->options.settings, impl_->known_settings); !known) co_return known;
    if (!impl_->duties.subscriptions.empty() && !impl_->database)
        throw std::logic_error("host.on() needs host.database()");
    if (impl_->database && impl_->lane.primary()) {
        co_await must(impl_->database->migrate(context, "flotilla", framework_migrations()));
        co_await must(impl_->database->migrate(context, "service", impl_->migrations));
        co_await must(impl_->check_statements(context));
        co_await must(run_backfills(context, *impl_->database, "service", impl_->backfills, impl_->process.log));
    }
    impl_->check_endpoints();
    impl_->check_targets();
    impl_->write_contracts();
    co_await must(impl_->listen());
    impl_->add_parts();
    co_return Result<void>();
}

task<Result<void>> Host::Impl::check_statements(Context& context) {
    for (const auto& [sql, row, where] : statements)
        process.log.debug(context, "statement", {{"sql", sql}, {"file", where.file_name()}, {"line", where.line()}});
    return database->check(context, statements);
}

Result<void> Host::Impl::listen() {
    options.node.contract_path = kOpenApiPath;
    auto listening = Node::listen(
        world, process,
        {.options = options.node,
         .lane = lane,
         .handler = [this](Context& request, http::Exchange& exchange) { return steps.handle(request, exchange); },
         .server = {.body_bytes_max = options.body_bytes_max},
         .checks = std::move(health)});
    if (!listening) return std::move(listening.error());
    node = std::move(*listening);
    own_pages.set_instance(node->identity().instance);
    return {};
}

void Host::Impl::add_parts() {
    node->announce_in(*registry);
    if (database && lane.primary()) add_database_work();
    if (!options.faults.empty()) add_faults();
    publish_figures();
    show_targets();
}

void Host::Impl::add_faults() {
    faults = std::make_unique<FaultFile>(options.faults, process.log, [this](const FaultPlan& plan) {
        steps.faults().put(plan);
        http.cut_off(plan.cut_off);
    });
    node->add({.name = "faults", .run = [this](Context& context) { return faults->run(context); }});
}

void Host::Impl::add_database_work() {
    const auto& [service, instance, version] = node->identity();
    database_work = std::make_unique<DatabaseWork>(
        world, *database, *bus, process,
        DatabaseWork::Options{.service = service, .instance = instance, .lag_max = options.lag_max}, std::move(duties));
    database_work->add_checks(node->checks());
    node->add({.name = "database work", .run = [this](Context& context) { return database_work->run(context); }});
}

/// What belongs to this loop and a scrape on another one could not read.
void Host::Impl::publish_figures() {
    if (targets) node->publish([this] { targets->publish(node->loop_label()); });
}

/// Instances that are out are no fault of this one, but worth knowing.
void Host::Impl::show_targets() {
    if (!targets) return;
    for (const auto& [service, target] : targets->all())
        node->checks().show(service, [this, called = target.get()] { return called->detail(world.monotonic()); });
}

} // namespace flotilla
