#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/redis/keyspace.hpp"
#include "hub/redis/session.hpp"

namespace flotilla::hub {

/// Which sessions' transactions fail when a key changes (WATCH). Listens to the keyspace only while somebody watches.
/// Thread-safety: none.
class WatchedKeys {
public:
    /// Requires: the keyspace outlives it.
    explicit WatchedKeys(Keyspace& keyspace) : keyspace_(keyspace) {}
    WatchedKeys(const WatchedKeys&) = delete;
    WatchedKeys& operator=(const WatchedKeys&) = delete;
    ~WatchedKeys() { keyspace_.observe_changes(nullptr); }

    void watch(Session& session, std::string_view key);
    /// Forgets all keys of the session, and whether one of them has changed.
    void unwatch(Session& session);

private:
    void changed(std::string_view key);

    Keyspace& keyspace_;
    std::unordered_map<std::string, std::vector<Session*>, TextHash, std::equal_to<>> watchers_;
};

} // namespace flotilla::hub
