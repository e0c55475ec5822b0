#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hub/redis/redis_stream.hpp"
#include "hub/redis/stream_journal.hpp"

namespace flotilla::hub {

/// Bounds of what the bus keeps. At a bound it refuses, as Redis does at `maxmemory`; it never grows past it.
struct KeyspaceLimits {
    std::size_t name_bytes_max = 64 * 1024;                         ///< a key, group or consumer name
    std::size_t entry_bytes_max = 8 * 1024 * 1024;                  ///< fields and values of one entry
    std::size_t stream_bytes_max = std::size_t{512} * 1024 * 1024;  ///< entries of one stream
    std::size_t memory_bytes_max = std::size_t{1024} * 1024 * 1024; ///< everything together, approximately
    std::int64_t streams_max = kStreamsMax;                         ///< keys, since each may be a stream with a number
};

/// What a key holds: a stream, or a string when there is no stream.
struct KeyValue {
    std::unique_ptr<RedisStream> stream;
    std::string text;
    std::int64_t expires_ms = 0; ///< wall clock; 0: never
};

/// Hashes text and views of it alike.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

/// Every key of the bus. Streams, with their groups and what is pending, are kept in the journal and survive a crash
/// once commit() has answered; strings (leases and limiters) live in memory only, as their short lives allow.
/// All changes to streams go through here, so that none escapes the journal. No I/O of its own. Thread-safety: none.
class Keyspace final : public StreamChanges {
public:
    explicit Keyspace(StreamJournal& journal, KeyspaceLimits limits = {});

    /// Reads what the journal kept; also after a failed commit, when memory is ahead of the disk. Errors: the
    /// journal's; internal when what it kept does not fit together.
    Result<void> load();
    bool has_changes() const { return journal_.has_changes() || !dirty_streams_.empty() || !dirty_groups_.empty(); }
    Result<void> commit();
    /// The journal's work that may wait until replies have left.
    Result<void> tidy() { return journal_.tidy(); }
    /// A copy of what is committed; see StreamJournal.
    Result<void> begin_copy() { return journal_.begin_copy(); }
    Result<bool> copy_some() { return journal_.copy_some(); }
    /// Whether the journal can write. Requires: !has_changes().
    Result<void> probe() { return journal_.probe(); }

    const KeyspaceLimits& limits() const { return limits_; }
    std::size_t used_bytes() const { return used_bytes_; }
    bool full() const { return used_bytes_ >= limits_.memory_bytes_max || streams_full(); }
    /// No new stream can be numbered.
    bool streams_full() const { return std::cmp_greater_equal(keys_.size(), limits_.streams_max); }

    /// Called with each key whose value changes: that gets entries or loses some, gets or loses a time to live, is
    /// made, replaced or dropped. Groups and what they hold are not the value. Null: nobody wants to know.
    void observe_changes(std::function<void(std::string_view key)> observer) { observer_ = std::move(observer); }

    // ---- keys ----
    using Map = std::unordered_map<std::string, KeyValue, TextHash, std::equal_to<>>;
    const Map& keys() const { return keys_; }
    KeyValue* find(std::string_view key);
    /// Sets a string; what the key held before, a stream too, is dropped.
    KeyValue& set_text(std::string_view key, std::string_view text);
    void set_expiry(std::string_view key, KeyValue& value, std::int64_t expires_ms);
    bool erase(std::string_view key);
    enum class Expire : unsigned char { everything, strings };
    /// Drops keys whose time has come and returns them; strings only: what the journal keeps stays as it is.
    std::vector<std::string> expire(std::int64_t now_ms, Expire which = Expire::everything);

    // ---- streams ----
    /// Requires: the key does not exist; not streams_full().
    RedisStream& create_stream(std::string_view key);
    /// Requires: id > stream.last_id; body fits limits().
    void append(RedisStream& stream, EntryId id, std::string_view body);
    bool remove(RedisStream& stream, EntryId id);
    std::size_t trim(RedisStream& stream, const TrimRule& rule);
    /// Call after changing last_id, max_deleted_id or entries_added.
    void touch(RedisStream& stream);

    /// Requires: the stream has no group of that name.
    ConsumerGroup& create_group(RedisStream& stream, std::string_view name, EntryId last_id, std::int64_t entries_read);
    void drop_group(RedisStream& stream, ConsumerGroup& group);
    /// Call after changing last_id or entries_read.
    void touch(RedisStream& stream, ConsumerGroup& group);
    /// Requires: the group has no consumer of that name.
    Consumer& create_consumer(ConsumerGroup& group, std::string_view name, std::int64_t now_ms);
    void drop_consumer(ConsumerGroup& group, Consumer& consumer);
    /// Gives an entry to a consumer, taking it from whoever had it.
    void set_pending(ConsumerGroup& group, EntryId id, Consumer& consumer, std::int64_t delivered_ms,
                     std::int64_t deliveries);
    bool remove_pending(ConsumerGroup& group, EntryId id);

private:
    // What the journal kept, on load.
    void stream_saved(std::int64_t stream, std::string_view key, const StreamHead& head) override;
    void entry_added(std::int64_t stream, std::int64_t position, EntryId id, std::string_view body) override;
    void group_saved(std::int64_t stream, std::int64_t group, std::string_view name, EntryId last_id,
                     std::int64_t entries_read) override;
    void consumer_saved(std::int64_t group, std::int64_t consumer, std::string_view name,
                        std::int64_t seen_ms) override;
    void pending_saved(std::int64_t group, EntryId id, std::int64_t consumer, std::int64_t delivered_ms,
                       std::int64_t deliveries) override;

    struct DirtyGroup {
        RedisStream* stream;
        ConsumerGroup* group;
    };
    void value_changed(std::string_view key) {
        if (observer_) observer_(key);
    }
    using Expiries = std::set<std::pair<std::int64_t, std::string>>;
    Expiries& expiries_of(const KeyValue& value) { return value.stream ? stream_expiries_ : text_expiries_; }
    void expire(Expiries& expiries, std::int64_t now_ms, std::vector<std::string>& gone);
    KeyValue& insert(std::string_view key);
    void forget(RedisStream& stream);
    void forget(ConsumerGroup& group);
    void save_head(const RedisStream& stream);
    std::int64_t next_stream_number();
    void collect_free_numbers();

    StreamJournal& journal_;
    KeyspaceLimits limits_;
    std::function<void(std::string_view)> observer_;
    Map keys_;
    Expiries text_expiries_;
    Expiries stream_expiries_;
    std::size_t used_bytes_ = 0;
    std::int64_t last_stream_ = 0;
    std::vector<std::int64_t> free_streams_; ///< numbers to give again, once the last one has been given
    std::int64_t last_row_ = 0;              // of groups and consumers
    std::vector<RedisStream*> dirty_streams_;
    std::vector<DirtyGroup> dirty_groups_;

    // Only while loading: rows to objects, and the first row that did not fit.
    std::optional<Error> damage_;
    std::unordered_map<std::int64_t, RedisStream*> loaded_streams_;
    std::unordered_map<std::int64_t, ConsumerGroup*> loaded_groups_;
    std::unordered_map<std::int64_t, Consumer*> loaded_consumers_;
};

} // namespace flotilla::hub
