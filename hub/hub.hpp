#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <flotilla/aio/loop.hpp>
#include <flotilla/observe/log.hpp>
#include <flotilla/observe/metrics.hpp>

#include "hub/redis/keyspace.hpp"

namespace flotilla::hub {

struct HubOptions {
    std::filesystem::path data = ".flotilla/hub"; ///< one folder per hub
    std::string host = "127.0.0.1"; ///< nothing authenticates: beyond loopback only where every caller is trusted
    std::vector<std::string> allowed_hosts = {}; ///< more names that HTTP answers to, see BrowserGuard
    std::uint16_t http_port = 8500;              ///< Consul API, mail, console, health, metrics. 0 picks a free port
    std::uint16_t redis_port = 6380;
    std::uint16_t smtp_port = 2525;
    Duration drain = std::chrono::seconds(5); ///< at the end, for requests in flight
    KeyspaceLimits bus_limits = {};
};

/// The hub: everything a fleet needs around its services on one machine, each over the protocol of the engine that can
/// replace it. HTTP, SMTP and the registry share one loop; the bus has a thread of its own.
/// When everything listens, `<data>/ports.json` tells the real ports ({"http":8500,"redis":6380,"smtp":2525}) and each
/// address is one log line.
class Hub {
public:
    Hub(HubOptions options, Logger logger);
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;
    ~Hub();

    /// Serves until SIGTERM, SIGINT or stop(). The exit code: 0 after a clean end, 1 when it could not start or lost
    /// its disk.
    int run();
    /// Ends run(). Thread-safe.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::hub
