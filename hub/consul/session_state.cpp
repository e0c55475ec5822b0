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

} // namespace

Result<void> SessionState::create(Session session, Instant now) {
    if (session.ttl != Duration::zero() && (session.ttl < kTtlMin || session.ttl > kTtlMax)) {
        return Error(Kind::invalid, "Invalid Session TTL '" + std::to_string(session.ttl.count()) +
                                        "', must be between [10s=24h0m0s]");
    }
    session.create_index = session.modify_index = last_index_ = index_.next();
    session.expires_at = expiry(session, now);
    changes_.touch(Table::session, session.id);
    changes_.touch(Table::meta, "session");
    auto id = session.id;
    sessions_.insert_or_assign(std::move(id), std::move(session));
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
    return &found->second;
}

void SessionState::destroy(std::string_view id, Instant now) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    const auto session = std::move(found->second);
    sessions_.erase(found);
    last_index_ = index_.next();
    changes_.touch(Table::session, session.id);
    changes_.touch(Table::meta, "session");
    kv_.end_session(session.id, session.behavior, std::min(session.lock_delay, kLockDelayMax), now);
}

void SessionState::check_failed(std::string_view check, Instant now) {
    std::vector<std::string> ended;
    for (const auto& [id, session] : sessions_) {
        const auto names = [&](const std::vector<std::string>& checks) {
            return std::ranges::find(checks, check) != checks.end();
        };
        if (names(session.checks) || names(session.node_checks) || names(session.service_checks)) ended.push_back(id);
    }
    for (const auto& id : ended)
        destroy(id, now);
}

void SessionState::tick(Instant now) {
    std::vector<std::string> ended;
    for (const auto& [id, session] : sessions_) {
        if (session.expires_at <= now) ended.push_back(id);
    }
    for (const auto& id : ended)
        destroy(id, now);
}

Instant SessionState::next_due() const {
    Instant next = Instant::max();
    for (const auto& [id, session] : sessions_)
        next = std::min(next, session.expires_at);
    return next;
}

void SessionState::restore(std::uint64_t last_index, std::vector<Session> sessions, Instant now) {
    last_index_ = last_index;
    for (auto& session : sessions) {
        session.expires_at = expiry(session, now);
        auto id = session.id;
        sessions_.insert_or_assign(std::move(id), std::move(session));
    }
}

} // namespace flotilla::hub::consul
