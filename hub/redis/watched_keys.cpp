#include "hub/redis/watched_keys.hpp"

namespace flotilla::hub {

void WatchedKeys::watch(Session& session, std::string_view key) {
    if (!session.transaction.watched.emplace(key).second) return;
    if (watchers_.empty()) keyspace_.observe_changes([this](std::string_view each) { changed(each); });
    watchers_[std::string(key)].push_back(&session);
}

void WatchedKeys::unwatch(Session& session) {
    for (const std::string& key : session.transaction.watched) {
        const auto found = watchers_.find(key);
        std::erase(found->second, &session);
        if (found->second.empty()) watchers_.erase(found);
    }
    session.transaction.watched.clear();
    session.transaction.stale = false;
    if (watchers_.empty()) keyspace_.observe_changes(nullptr);
}

void WatchedKeys::changed(std::string_view key) {
    const auto found = watchers_.find(key);
    if (found == watchers_.end()) return;
    for (Session* session : found->second)
        session->transaction.stale = true;
}

} // namespace flotilla::hub
