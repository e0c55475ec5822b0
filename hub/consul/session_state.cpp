#include "hub/consul/session_state.hpp"

#include <algorithm>

namespace flotilla::hub::consul {
namespace {

constexpr Duration kTtlMin = std::chrono::seconds(10);
constexpr Duration kTtlMax = std::chrono::hours(24);
constexpr Duration kLockDelayMax = std::chrono::minutes(1); // Consul's; a session shows what it was given

Instant expiry(const Session& session, Instant now) {
    return session.ttl == Duration::zero() ? Instant::max() : now + 2 * session.ttl;
}

template <typename Do>
void for_each_check(const Session& session, Do&& act) {
    for (const auto* checks : {&session.checks, &session.node_checks, &session.service_checks}) {
        for (const auto& check : *checks)
            act(check);
    }
}

} // namespace

void SessionState::add(Session session, Instant now) {
    auto id = session.id;
    for_each_check(session, [&](const std::string& check) { by_check_[check].insert(id); });
    session.expires_at = expiry(session, now);
    due_.plan(id, session.planned, session.expires_at);
    sessions_.insert_or_assign(std::move(id), std::move(session));
}

Result<void> SessionState::create(Session session, Instant now) {
    if (session.ttl != Duration::zero() && (session.ttl < kTtlMin || session.ttl > kTtlMax)) {
        return Error(Kind::invalid, "Invalid Session TTL '" + std::to_string(session.ttl.count()) +
                                        "', must be between [10s=24h0m0s]");
    }
    session.create_index = session.modify_index = last_index_ = index_.next();
    changes_.touch(Table::session, session.id);
    changes_.touch(Table::meta, "session");
    add(std::move(session), now);
    return {};
}

const Session* SessionState::find(std::string_view id) const {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : &found->second;
}

const Session* SessionState::renew(std::string_view id, Instant now) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return nullptr;
    found->second.expires_at = expiry(found->second, now);
    due_.plan(found->first, found->second.planned, found->second.expires_at);
    return &found->second;
}

void SessionState::destroy(std::string_view id, Instant now) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    due_.plan(found->first, found->second.planned, Instant::max());
    const auto session = std::move(found->second);
    sessions_.erase(found);
    for_each_check(session, [&](const std::string& check) {
        const auto bound = by_check_.find(check);
        if (bound == by_check_.end()) return; // named twice
        bound->second.erase(session.id);
        if (bound->second.empty()) by_check_.erase(bound);
    });
    last_index_ = index_.next();
    changes_.touch(Table::session, session.id);
    changes_.touch(Table::meta, "session");
    kv_.end_session(session.id, session.behavior, std::min(session.lock_delay, kLockDelayMax), now);
}

void SessionState::check_failed(std::string_view check, Instant now) {
    const auto bound = by_check_.find(check);
    if (bound == by_check_.end()) return;
    const std::vector<std::string> ended(bound->second.begin(), bound->second.end());
    for (const auto& id : ended)
        destroy(id, now);
}

void SessionState::tick(Instant now) {
    for (const auto& id : due_.due(now))
        destroy(id, now);
}

Instant SessionState::next_due() const { return due_.next(); }

void SessionState::restore(std::uint64_t last_index, std::vector<Session> sessions, Instant now) {
    last_index_ = last_index;
    for (auto& session : sessions)
        add(std::move(session), now);
}

} // namespace flotilla::hub::consul
