#pragma once

#include <string>

#include <flotilla/bus/redis/redis_connection.hpp>

namespace flotilla {

/// Which consumer of a group is active: the one that holds a key (its own name, with an expiry); the others ask now and
/// then. Renewal is GET, then SET: between the two the lease may expire and go to another, and a consumer that is busy
/// for longer than the lease loses it without noticing at once. For moments two may then be active. A consumer that
/// restarts under its old name has its lease back at once.
/// Thread-safety: none. Requires: the connection outlives it.
class RedisLease {
public:
    RedisLease(World& world, RedisConnection& commands, std::string key, std::string holder);

    /// Takes or renews the lease when it is time to; active() tells whether it is held. True when it was not held
    /// before, or had expired: somebody else may have been active in between.
    task<Result<bool>> renew(Context& context);
    /// Waits until the lease is held; returns as renew() does.
    task<Result<bool>> hold(Context& context);

    bool active() const { return active_; }
    /// When renew() will ask again. Requires: active().
    Instant renew_at() const { return renew_at_; }

private:
    World& world_;
    RedisConnection& commands_;
    std::string key_;
    std::string holder_;
    bool active_ = false;
    Instant renew_at_{};
};

} // namespace flotilla
