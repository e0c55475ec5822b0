#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/node/fault_file.hpp>
#include <flotilla/node/health.hpp>
#include <flotilla/node/options.hpp>
#include <flotilla/node/own_pages.hpp>
#include <flotilla/node/part.hpp>
#include <flotilla/observe/loop_watch.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla {

/// What a node is made from.
struct NodeSetup {
    NodeOptions options;
    Lane lane = {};
    std::string loop_label = {}; ///< what the loop is called in metrics; empty: its number
    http::Handler handler;
    http::ServerOptions server = {};
    HealthChecks checks = {}; ///< of what is no part
};

/// Called while a node runs. Each may be empty.
struct NodeEvents {
    std::function<void()> ready = {};     ///< requests are accepted from now on
    std::function<void()> withdrawn = {}; ///< nobody looks for this program any more: its other loops may end
};

/// One loop of a program that answers HTTP: service, gateway, hub. It listens, tells how it is, announces itself, does
/// its background work, and drains when it is asked to end. One that exists is listening.
/// Thread-safety: none; belongs to its loop.
class Node {
public:
    /// Listens at the options' port, on the primary loop also at the Unix socket. Nothing is answered before run().
    /// The telemetry must outlive it. Errors: unavailable, with the address.
    static Result<std::unique_ptr<Node>> listen(World& world, Telemetry& telemetry, NodeSetup setup);
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    /// The bound TCP address.
    const Address& address() const { return address_; }
    /// Who it is, with the instance's id.
    const Identity& identity() const { return identity_; }
    bool primary() const { return lane_.primary(); }

    /// Adds background work. Requires: before run().
    void add(Part part);
    /// For what is no part.
    HealthChecks& checks() { return checks_; }
    /// Adds the part "registry": the client of a registry, which also announces this node (from the primary loop) while
    /// it runs. The registry must outlive the node.
    void announce_in(Registry& registry);
    /// Adds the part "faults", when the options name a file of them. changed: does what a plan says.
    void take_faults(FaultFile::Changed changed);
    /// Figures that belong to this loop and a scrape on another one could not read: called ten times a second, to set
    /// gauges labelled with loop_label(). What it touches must outlive the node.
    void publish(std::move_only_function<void()> figures) { watch_.publish(std::move(figures)); }
    const std::string& loop_label() const { return watch_.loop(); }
    const http::Server::Statistics& statistics() const { return server_.statistics(); }

    /// Status and checks of the program: of this loop when it is the primary one, else what that one last found.
    HealthReport health() const;

    /// Serves until `stop` is cancelled. Then, in this order: /readyz says so, the registry hears it, the parts that
    /// end first end, requests in flight are answered (as long as options.drain in all), the other parts end.
    /// Errors: what was given to fail(); internal when a part ended with an exception. Call it once.
    task<Result<void>> run(Context& stop, NodeEvents events = {});
    /// Ends run() in the same order, with an error: the program cannot do its work any more.
    void fail(Error why);

private:
    Node(World& world, Telemetry& telemetry, NodeSetup setup);
    Result<void> bind();
    bool shares_health() const { return primary() && lane_.health != nullptr; }
    void publish_connections();

    struct Running;
    void start(Running& running, const NodeEvents& events);
    void start_part(Running& running, Part& part);
    task<void> watched(std::string what, task<void> work);
    void note_bug(const std::string& what, std::string_view why);
    void announce();
    task<void> drain(Running& running, const NodeEvents& events);
    task<void> withdraw(Context& root);
    task<void> post_health(Context& context);

    World& world_;
    Telemetry& telemetry_;
    NodeOptions options_;
    Lane lane_;
    Identity identity_;
    Address address_;
    http::Server server_;
    LoopWatch watch_;
    HealthChecks checks_;
    std::vector<Part> parts_;
    std::unique_ptr<FaultFile> faults_; ///< null: this program was not started for them
    Registry* registry_ = nullptr;
    bool draining_ = false;
    Event failed_;
    std::optional<Error> failure_;
};

/// Opens the registry of the options, with the last known instances in their data folder; "none" is one that knows
/// nobody. `client` must outlive it. Errors: as open_registry().
Result<std::unique_ptr<Registry>> open_registry(World& world, http::Client& client, Telemetry& telemetry,
                                                const NodeOptions& options);

} // namespace flotilla
