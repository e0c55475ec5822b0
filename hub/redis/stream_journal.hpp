#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

#include "hub/redis/entry_id.hpp"

namespace flotilla::hub {

/// Streams are numbered from 1 to this: a journal may put the number after it, and a position of 40 bits, in one
/// integer.
inline constexpr std::int64_t kStreamsMax = (std::int64_t{1} << 23) - 2;

/// Why load() failed when what was kept does not fit together.
inline Error damaged_journal(std::string_view what) {
    return Error(Kind::internal, "the journal is damaged: it has " + std::string(what));
}

/// The numbers of a stream that its entries do not tell. They may lag behind entries added since: those with greater
/// ids than last_id count on top.
struct StreamHead {
    EntryId last_id;
    EntryId max_deleted_id;
    std::int64_t entries_added = 0;
    std::int64_t expires_ms = 0; ///< wall clock; 0: never
    /// On load: no new entry may have this position or a smaller one. Not saved, the journal knows it.
    std::int64_t last_position = 0;
};

/// What happens to streams, as rows. `..._saved` inserts or replaces. Used in both directions: the keyspace tells the
/// journal what to keep, and on start the journal tells the keyspace what there is (streams before entries, groups,
/// consumers, pending entries; entries in order).
class StreamChanges {
public:
    virtual ~StreamChanges() = default;
    virtual void stream_saved(std::int64_t stream, std::string_view key, const StreamHead& head) = 0;
    /// `position` names the entry within its stream; it grows with the ids and is never used again.
    virtual void entry_added(std::int64_t stream, std::int64_t position, EntryId id, std::string_view body) = 0;
    virtual void group_saved(std::int64_t stream, std::int64_t group, std::string_view name, EntryId last_id,
                             std::int64_t entries_read) = 0;
    virtual void consumer_saved(std::int64_t group, std::int64_t consumer, std::string_view name,
                                std::int64_t seen_ms) = 0;
    virtual void pending_saved(std::int64_t group, EntryId id, std::int64_t consumer, std::int64_t delivered_ms,
                               std::int64_t deliveries) = 0;
};

/// Where streams are kept. Everything between two commits is one transaction; a change that cannot be written makes
/// commit() fail, never the change itself. Thread-safety: none; lives on the loop of the bus.
class StreamJournal : public StreamChanges {
public:
    virtual void stream_dropped(std::int64_t stream) = 0; ///< with everything that belongs to it
    virtual void entry_removed(std::int64_t stream, std::int64_t position) = 0;
    virtual void entries_removed_through(std::int64_t stream, std::int64_t position) = 0;
    virtual void group_dropped(std::int64_t group) = 0;
    virtual void consumer_dropped(std::int64_t group, std::int64_t consumer) = 0; ///< with what is pending for it
    virtual void pending_removed(std::int64_t group, EntryId id) = 0;

    /// True when there is something to commit.
    virtual bool has_changes() const = 0;
    /// Makes the changes since the last commit durable. On an error none of them is, and load() must be called.
    virtual Result<void> commit() = 0;
    /// What may wait until commit() has been answered to those who wait for it. Cheap while there is nothing to do.
    /// An error costs nothing that was committed.
    virtual Result<void> tidy() = 0;
    /// Writes something that changes nothing: whether the disk is well. Requires: !has_changes().
    virtual Result<void> probe() = 0;
    /// Begins a copy of everything into a file of its own, beside the one it is in; takes what is changed meanwhile
    /// along.
    virtual Result<void> begin_copy() = 0;
    /// Goes on with the copy, for about a millisecond. True once it is complete, durable and has its name. After an
    /// error it is over, and what an earlier one left is still there. Requires: begun; !has_changes().
    virtual Result<bool> copy_some() = 0;
    /// Takes the changes since the last commit back.
    virtual void abandon() = 0;
    /// Reads back everything that was committed. Errors: unavailable; internal when it does not fit together.
    virtual Result<void> load(StreamChanges& into) = 0;
};

} // namespace flotilla::hub
