#pragma once

#include <flotilla/base/result.hpp>

#include "hub/consul/due_times.hpp"
#include "hub/consul/kv_state.hpp"

namespace flotilla::hub::consul {

inline constexpr std::string_view kNodeCheck = "serfHealth"; ///< Consul's check of the node itself; ours always passes

struct Session {
    std::string id;
    std::string name;
    std::string node;
    Duration lock_delay = std::chrono::seconds(15);
    SessionBehavior behavior = SessionBehavior::release;
    std::string ttl_text; ///< as the client wrote it
    Duration ttl{};       ///< zero: no TTL
    /// Ids of checks; the session ends when one of any list fails. The first is what Consul had before 1.7.
    std::vector<std::string> checks;
    std::vector<std::string> node_checks;
    std::vector<std::string> service_checks;
    std::uint64_t create_index = 0;
    std::uint64_t modify_index = 0;
    Instant expires_at = Instant::max();
    Instant planned = Instant::max(); ///< its turn among the sessions' DueTimes
};

/// Consul's sessions: they end when destroyed, when their TTL runs out, or when a check they name fails, and their
/// locks with them. Pure logic, no I/O, no clock. Thread-safety: none.
class SessionState {
public:
    using Sessions = std::map<std::string, Session, std::less<>>;

    SessionState(Index& index, ChangeLog& changes, KvState& kv) : index_(index), changes_(changes), kv_(kv) {}

    /// Requires: a fresh id; every check it names exists and is not critical. Errors: invalid (TTL out of range).
    Result<void> create(Session session, Instant now);
    const Session* find(std::string_view id) const;
    /// Null when it is unknown.
    const Session* renew(std::string_view id, Instant now);
    /// Destroying an unknown session is no error, as in Consul.
    void destroy(std::string_view id, Instant now);
    void check_failed(std::string_view check, Instant now);
    /// Ends what has expired. Consul grants twice the TTL.
    void tick(Instant now);
    Instant next_due() const;

    const Sessions& sessions() const { return sessions_; }
    std::uint64_t last_index() const { return last_index_; }
    void restore(std::uint64_t last_index, std::vector<Session> sessions, Instant now);

private:
    void add(Session session, Instant now);

    Index& index_;
    ChangeLog& changes_;
    KvState& kv_;
    Sessions sessions_;
    std::map<std::string, std::set<std::string>, std::less<>> by_check_; ///< the sessions that end with a check
    DueTimes due_;
    std::uint64_t last_index_ = 1;
};

} // namespace flotilla::hub::consul
