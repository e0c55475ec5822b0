#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include <flotilla/aio/world.hpp>
#include <flotilla/observe/telemetry.hpp>

#include "hub/redis/engine.hpp"

namespace flotilla::hub {

struct RedisThreadOptions {
    Address address = Address::tcp("127.0.0.1", 6380);
    std::filesystem::path file; ///< the journal; its folder exists
    KeyspaceLimits limits = {};
    Duration drain = std::chrono::seconds(2); ///< how long clients may take their last replies
};

/// The bus on a thread, a loop and a file of its own, so that nothing else in the hub delays an XADD.
class RedisThread {
public:
    /// Loads the journal and listens before it returns. `on_lost` is called on the bus's thread when it had to stop
    /// because its memory and its file disagree. Errors: unavailable (file, port), internal.
    static Result<std::unique_ptr<RedisThread>> start(RedisThreadOptions options, Telemetry& telemetry,
                                                      std::function<void()> on_lost);
    RedisThread(const RedisThread&) = delete;
    RedisThread& operator=(const RedisThread&) = delete;
    /// Stops as stop().
    ~RedisThread();

    /// With the real port.
    const Address& address() const;
    /// ok, or that the last commit failed, or that the file is damaged. Thread-safe.
    Result<void> health() const;
    /// Commits, lets the last replies leave, ends the thread. Safe to call twice, from any thread but its own.
    void stop();

private:
    struct Impl;
    explicit RedisThread(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::hub
