#pragma once

#include <memory>
#include <string>
#include <vector>

#include <flotilla/node/lanes.hpp>

#include "hub/redis/keyspace.hpp"

namespace flotilla::hub {

struct HubOptions {
    /// host: nothing authenticates, so beyond loopback only where every caller is trusted. port: Consul API, mail,
    /// console, health, metrics. data: one folder per hub. The hub has one loop, and is the registry.
    NodeOptions node{.service = "flotilla-hub",
                     .port = 8500,
                     .data = ".flotilla/hub",
                     .registry = "none",
                     .drain = std::chrono::seconds(5)};
    std::vector<std::string> allowed_hosts = {}; ///< more names that HTTP answers to, see BrowserGuard
    std::uint16_t redis_port = 6380;             ///< 0 picks a free one
    std::uint16_t smtp_port = 2525;
    KeyspaceLimits bus_limits = {};
};

/// The hub: everything a fleet needs around its services on one machine, each over the protocol of the engine that can
/// replace it. HTTP, SMTP and the registry share one loop; the bus has a thread of its own. One that exists is
/// listening: `<data>/ports.json` tells the real ports ({"http":8500,"redis":6380,"smtp":2525}), and each address is
/// one log line. Thread-safety: none; belongs to its loop.
class Hub final : public Runnable {
public:
    /// The telemetry must outlive it. Errors: unavailable (folder, file, port).
    static task<Result<std::unique_ptr<Hub>>> start(Context& context, World& world, Telemetry& telemetry,
                                                    HubOptions options);
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;
    ~Hub() override;

    /// Where it speaks HTTP.
    const Address& address() const override;
    /// Serves until `stop` is cancelled. Call it once. Errors: unavailable when it lost its disk.
    task<Result<void>> run(Context& stop, std::function<void()> withdrawn) override;

private:
    struct Impl;
    explicit Hub(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::hub
