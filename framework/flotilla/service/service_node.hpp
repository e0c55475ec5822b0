#pragma once

#include <functional>
#include <memory>

#include <flotilla/bus/bus.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/node/lanes.hpp>
#include <flotilla/service/host.hpp>

namespace flotilla {

/// What is used instead of the engines that the options name; null: those of the options.
struct Engines {
    std::unique_ptr<Registry> registry = {};
    std::unique_ptr<Bus> bus = {};
};

/// A service on one loop, for whoever runs it: run(), tests. One that exists is installed, migrated and listening.
/// Thread-safety: none; belongs to its loop.
class ServiceNode final : public Runnable {
public:
    /// Installs the service, checks its settings, applies migrations (on the primary loop) and listens: whatever can
    /// keep a service from starting does so here, with an error or as install() throws.
    static task<Result<std::unique_ptr<ServiceNode>>> prepare(Context& context, World& world, Process& process,
                                                              HostOptions options, std::function<void(Host&)> install,
                                                              Lane lane = {}, Engines engines = {});

    /// Installs the service over its database, opened for reading, and says what this program could not go on with: see
    /// Host::add_upgrade_check. Another instance may be serving meanwhile.
    static task<Result<std::vector<std::string>>> check_upgrade(Context& context, World& world, Process& process,
                                                                HostOptions options,
                                                                std::function<void(Host&)> install);

    const Address& address() const override;
    /// Announces itself and serves until `stop` is cancelled, then withdraws and drains. Call it once.
    /// Errors: internal when background work ended with a bug, which ends the service too.
    task<Result<void>> run(Context& stop, std::function<void()> withdrawn = {}) override;

private:
    ServiceNode(World& world, Process& process, HostOptions options, Lane lane, Engines engines)
        : process_(process), host_(world, process, std::move(options), lane, std::move(engines)) {}
    void log_ready() const;

    Process& process_;
    Host host_;
};

} // namespace flotilla
