#include <flotilla/node/node.hpp>

#include <algorithm>

namespace flotilla {
namespace {

constexpr Duration kWithdrawTime = std::chrono::seconds(2);
constexpr Duration kPostHealthEvery = std::chrono::milliseconds(250);

} // namespace

Node::Node(World& world, Telemetry& telemetry, NodeSetup setup)
    : world_(world), telemetry_(telemetry), options_(std::move(setup.options)), lane_(setup.lane),
      server_(world, std::move(setup.handler), setup.server),
      watch_(world, telemetry.metrics,
             setup.loop_label.empty() ? std::to_string(lane_.number) : std::move(setup.loop_label)),
      checks_(std::move(setup.checks)) {}

// ---- listening ----

Result<std::unique_ptr<Node>> Node::listen(World& world, Telemetry& telemetry, NodeSetup setup) {
    std::unique_ptr<Node> node(new Node(world, telemetry, std::move(setup)));
    if (auto bound = node->bind(); !bound) return std::move(bound.error());
    const auto& options = node->options_;
    node->identity_ = {.service = options.service,
                       .instance = options.instance.empty()
                                       ? options.service + "-" + std::to_string(node->address_.port)
                                       : options.instance,
                       .version = options.version};
    node->publish_connections();
    if (node->shares_health()) {
        node->add({.name = "health report",
                   .run = [made = node.get()](Context& context) { return made->post_health(context); }});
    }
    return node;
}

Result<void> Node::bind() {
    const auto wanted = Address::tcp(options_.host, options_.port);
    const bool shared = options_.loops > 1;
    if (shared && primary() && options_.port != 0) {
        // SO_REUSEPORT would let us share the port with a stranger; listening without it finds out.
        auto alone = world_.listen(wanted);
        if (!alone) return std::move(alone.error());
    }
    auto listening = server_.listen(wanted, {.reuse_port = shared});
    if (!listening) return std::move(listening.error());
    address_ = *listening;
    if (!primary() || options_.unix_socket.empty()) return {};
    auto local = server_.listen(Address::unix_socket(options_.unix_socket));
    if (!local) return std::move(local.error());
    return {};
}

void Node::publish_connections() {
    auto& connections = telemetry_.metrics.gauge(
        "http_server_connections", "Connections of clients, idle ones included.", {{"loop", loop_label()}});
    publish([this, &connections] { connections.set(static_cast<std::int64_t>(server_.statistics().connections)); });
}

// ---- health ----

void Node::add(Part part) {
    if (part.check) checks_.add(part.name, part.check, part.required);
    parts_.push_back(std::move(part));
}

void Node::announce_in(Registry& registry) {
    registry_ = &registry;
    add({.name = "registry",
         .run = [&registry](Context& context) { return registry.run(context); },
         .check = [&registry] { return registry.health(); }});
}

HealthReport Node::health() const {
    if (primary() || !lane_.health) return checks_.report(draining_);
    auto report = lane_.health->last(world_.monotonic());
    report.add_failures(checks_.report(draining_));
    return report;
}

task<void> Node::post_health(Context& context) {
    do {
        lane_.health->post(health(), world_.monotonic());
    } while (co_await sleep_for(context, kPostHealthEvery));
}

// ---- running ----

/// What runs until the end is asked for, and what outlasts the requests in flight: both hang on a root of their own,
/// since the stop signal is to end neither at once.
struct Node::Running {
    explicit Running(World& world) : root(world) {}
    Context root;
    Scope lasting{root};
    Scope first{root};
};

void Node::fail(Error why) {
    if (!failure_) failure_ = std::move(why);
    failed_.notify();
}

void Node::note_bug(const std::string& what, std::string_view why) {
    telemetry_.log.error("ended with a bug; the program stops", {{"what", what}, {"why", why}});
    fail(Error(Kind::internal, what + " ended with a bug: " + std::string(why)));
}

/// A program without one of its parts would look alive and fail its purpose: a bug there ends the node.
task<void> Node::watched(std::string what, task<void> work) {
    try {
        co_await std::move(work);
    } catch (const std::exception& exception) {
        note_bug(what, exception.what());
    } catch (...) {
        note_bug(what, "no std::exception");
    }
}

void Node::take_faults(FaultFile::Changed changed) {
    if (options_.faults.empty()) return;
    faults_ = std::make_unique<FaultFile>(options_.faults, telemetry_.log, std::move(changed));
    add({.name = "faults", .run = [this](Context& context) { return faults_->run(context); }});
}

void Node::start_part(Running& running, Part& part) {
    Scope& scope = part.ends_first ? running.first : running.lasting;
    scope.spawn(watched(part.name, part.run(scope.context())));
}

void Node::start(Running& running, const NodeEvents& events) {
    for (auto& part : parts_)
        start_part(running, part);
    running.lasting.spawn(watched("the HTTP server", server_.run(running.lasting.context())));
    watch_.start();
    if (primary() && registry_) announce();
    if (events.ready) events.ready();
}

void Node::announce() {
    // Unix sockets refuse SO_REUSEPORT: all callers would meet the primary loop. TCP spreads them over the loops.
    registry_->announce({.id = identity_.instance,
                         .service = options_.service,
                         .address = address_,
                         .unix_socket = options_.loops > 1 ? std::string() : options_.unix_socket,
                         .host = options_.host,
                         .version = options_.version,
                         .incarnation = std::string(new_id(world_)),
                         .zone = options_.zone,
                         .weight = options_.weight,
                         .tags = options_.tags,
                         .contract_url = options_.contract_path.empty()
                                             ? std::string()
                                             : "http://" + address_.to_string() + options_.contract_path});
}

task<Result<void>> Node::run(Context& stop, NodeEvents events) {
    Running running(world_);
    try {
        start(running, events);
        (void)co_await failed_.wait(stop); // ends with the stop signal, or with a failure
        co_await drain(running, events);
    } catch (const std::exception& exception) {
        note_bug("serving", exception.what());
    }
    running.first.cancel(Error(Kind::unavailable, "shutting down"));
    co_await running.first.join();
    running.lasting.cancel(Error(Kind::unavailable, "shutting down"));
    co_await running.lasting.join();
    if (primary()) telemetry_.log.info("stopped");
    if (failure_) co_return std::move(*failure_);
    co_return Result<void>();
}

// Callers stop coming, then requests in flight finish.
task<void> Node::drain(Running& running, const NodeEvents& events) {
    const auto end = world_.monotonic() + options_.drain;
    draining_ = true;
    if (primary()) telemetry_.log.info("stopping");
    if (shares_health()) lane_.health->post(health(), world_.monotonic());
    if (primary() && registry_) co_await withdraw(running.root);
    if (events.withdrawn) events.withdrawn();
    running.first.cancel(Error(Kind::unavailable, "shutting down"));
    co_await running.first.join();
    co_await server_.shutdown(running.root, std::max(end - world_.monotonic(), Duration::zero()));
}

task<void> Node::withdraw(Context& root) {
    Context withdrawing(root, std::min<Duration>(kWithdrawTime, options_.drain / 2));
    auto done = co_await registry_->withdraw(withdrawing);
    if (!done) telemetry_.log.warning("could not withdraw from the registry", {{"error", done.error().message()}});
}

Result<std::unique_ptr<Registry>> open_registry(World& world, http::Client& client, Telemetry& telemetry,
                                                const NodeOptions& options) {
    return open_registry(world, client, telemetry,
                         {.url = options.registry == "none" ? "static:" : options.registry,
                          .fixed = {},
                          .cache_file = options.data + "/" + options.service + ".instances.json",
                          .host = options.host});
}

} // namespace flotilla
