#pragma once

#include <functional>

#include "hub/consul/model.hpp"

namespace flotilla::hub::consul {

struct KvEntry {
    std::string key;
    std::string value; ///< any bytes
    std::uint64_t flags = 0;
    std::string session; ///< holds the lock; empty: free
    std::uint64_t create_index = 0;
    std::uint64_t modify_index = 0;
    std::uint64_t lock_index = 0; ///< how often the lock was taken
};

enum class SessionBehavior : unsigned char { release, delete_ };

/// The key/value store with Consul's rules: pure logic, no I/O, no clock. Sessions are known here by id only; the
/// caller checks that they exist. Thread-safety: none.
class KvState {
public:
    using Entries = std::map<std::string, KvEntry, std::less<>>;

    KvState(Index& index, ChangeLog& changes) : index_(index), changes_(changes) {}
    KvState(const KvState&) = delete;
    KvState& operator=(const KvState&) = delete;

    const KvEntry* find(std::string_view key) const;
    std::vector<const KvEntry*> list(std::string_view prefix) const;
    /// The keys below a prefix; with a separator up to and including its first occurrence after the prefix, once each.
    std::vector<std::string> keys(std::string_view prefix, std::string_view separator) const;

    /// What blocking queries compare with. A key that does not exist has the store's last change.
    std::uint64_t index_of_key(std::string_view key) const;
    std::uint64_t index_of_prefix(std::string_view prefix) const;

    /// Writing what is there already changes nothing. A lock stays, though not the count of how often it was taken, as
    /// in Consul.
    void set(std::string_view key, std::string value, std::uint64_t flags);
    /// Sets when the entry's ModifyIndex is `expected`; 0: when there is none.
    bool cas(std::string_view key, std::string value, std::uint64_t flags, std::uint64_t expected);
    /// Takes the lock (or renews the value under one's own). False when another session holds it or a lock delay runs.
    bool acquire(std::string_view key, std::string value, std::uint64_t flags, std::string_view session, Instant now);
    /// Whether a lock delay runs.
    bool lock_rests(std::string_view key, Instant now) const;
    bool release(std::string_view key, std::string value, std::uint64_t flags, std::string_view session);
    void remove(std::string_view key);
    /// False when the ModifyIndex is another; a key that is absent counts as removed, as in Consul.
    bool remove_cas(std::string_view key, std::uint64_t expected);
    void remove_tree(std::string_view prefix);

    /// A session has ended: its locks are released, or their keys deleted. For `lock_delay` nobody gets those locks.
    void end_session(std::string_view session, SessionBehavior behavior, Duration lock_delay, Instant now);

    const Entries& entries() const { return entries_; }
    /// What the values take together.
    std::size_t bytes() const { return bytes_; }
    std::uint64_t last_index() const { return last_index_; }
    void restore(std::uint64_t last_index, std::vector<KvEntry> entries);

private:
    Entries::const_iterator first_of(std::string_view prefix) const { return entries_.lower_bound(prefix); }
    struct Lock {
        std::string session;
        std::uint64_t index = 0;
    };
    void write(std::string_view key, std::string value, std::uint64_t flags, Lock lock);
    void erase(Entries::iterator at, std::uint64_t index);
    void drop_old_tombstones();
    void touch(std::string_view key, std::uint64_t at);

    Index& index_;
    ChangeLog& changes_;
    Entries entries_;
    std::size_t bytes_ = 0;
    std::uint64_t last_index_ = 1;
    /// When keys were deleted, so that a list's index never goes back. Bounded: what was dropped raises the floor.
    std::map<std::string, std::uint64_t, std::less<>> tombstones_;
    std::uint64_t tombstone_floor_ = 0;
    std::map<std::string, Instant, std::less<>> lock_delays_;
};

} // namespace flotilla::hub::consul
