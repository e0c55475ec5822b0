#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hub/redis/entry_id.hpp"

namespace flotilla::hub {

/// One reader of a group.
struct Consumer {
    std::int64_t row = 0; ///< its name in the journal
    std::string name;
    std::int64_t seen_ms = 0;
    std::set<EntryId> pending;
};

/// An entry delivered to a consumer and not acknowledged.
struct PendingEntry {
    Consumer* consumer = nullptr;
    std::int64_t delivered_ms = 0;
    std::int64_t deliveries = 1;
};

/// A group of consumers with its position in the stream. Iteration orders are Redis': names by bytes, ids by number.
struct ConsumerGroup {
    static constexpr std::int64_t kUnknown = -1;

    std::int64_t row = 0;
    std::string name;
    EntryId last_id;                      ///< delivered up to here
    std::int64_t entries_read = kUnknown; ///< logical position, for the lag
    std::map<EntryId, PendingEntry> pending;
    std::map<std::string, std::unique_ptr<Consumer>, std::less<>> consumers;
    bool dirty = false; ///< position changed since the journal heard of it

    Consumer* find(std::string_view consumer) const;
};

/// What XTRIM and XADD remove: the oldest entries.
struct TrimRule {
    enum class By : unsigned char { none, length, id };
    By by = By::none;
    std::uint64_t length = 0; ///< keep at most so many
    EntryId id;               ///< keep from here on
    bool approximate = false; ///< only whole blocks, which is cheap
    std::uint64_t limit = 0;  ///< remove at most so many; 0: no limit
};

/// A stream's entries in memory, in blocks like Redis': a block holds up to 100 entries or about 4 KiB. Bodies are kept
/// as the RESP array of fields and values that replies carry. No I/O, no clock. Thread-safety: none.
class RedisStream {
public:
    struct Entry {
        EntryId id;
        std::string_view body;
    };

    std::int64_t row = 0; ///< its name in the journal
    std::string key;
    EntryId last_id;        ///< the greatest id ever
    EntryId max_deleted_id; ///< the greatest id removed one by one (XDEL)
    std::int64_t entries_added = 0;
    std::map<std::string, std::unique_ptr<ConsumerGroup>, std::less<>> groups;
    bool dirty = false; ///< one of the numbers above changed since the journal heard of it

    std::size_t length() const { return length_; }
    std::size_t blocks() const { return blocks_.size(); }
    /// Memory of the entries, approximately.
    std::size_t bytes() const { return bytes_; }
    /// The first entry's id; 0-0 when empty.
    EntryId first_id() const;
    /// The last entry's id; 0-0 when empty.
    EntryId last_entry_id() const;
    ConsumerGroup* find(std::string_view group) const;

    /// Requires: id is greater than every entry's. Returns its position: the number that names it in the journal,
    /// greater than every earlier one of this stream.
    std::int64_t append(EntryId id, std::string_view body);
    /// The same with a position it had before. Requires: the position is greater than every entry's.
    void restore(std::int64_t position, EntryId id, std::string_view body);
    /// Positions up to this one are taken, though nothing is there any more.
    void reserve_positions(std::int64_t through) { last_position_ = std::max(last_position_, through); }
    /// The body, or nullopt. The view lives until the next modification.
    std::optional<std::string_view> find(EntryId id) const;
    /// The position it had; nullopt when there is no such entry.
    std::optional<std::int64_t> erase(EntryId id);

    struct Trimmed {
        std::size_t count = 0;
        std::int64_t through = 0; ///< every entry up to this position has gone
    };
    Trimmed trim(const TrimRule& rule);

    /// Calls visit(Entry) for from <= id <= to in order until it returns false.
    template <class Visit>
    void visit(EntryId from, EntryId to, Visit visit) const;
    /// The same from the end.
    template <class Visit>
    void visit_backwards(EntryId from, EntryId to, Visit visit) const;

    /// True when an entry between `from` and the end was removed one by one, so that counting is unreliable.
    bool has_gaps_after(EntryId from) const;
    /// How many entries were ever added up to `id`; ConsumerGroup::kUnknown when that cannot be told.
    std::int64_t position_of(EntryId id) const;
    /// Entries the group has still to be given; nullopt when that cannot be told.
    std::optional<std::int64_t> lag(const ConsumerGroup& group) const;

private:
    static constexpr std::size_t kBlockEntries = 100;
    static constexpr std::size_t kBlockBytes = 4096;
    static constexpr std::size_t kEntryOverhead = 40;

    struct Slot {
        EntryId id;
        std::int64_t position = 0;
        std::uint32_t at = 0;
        std::uint32_t size = 0; // 0: removed
    };
    struct Block {
        std::string bytes;
        std::vector<Slot> slots;
        std::size_t live = 0;
        std::size_t footprint() const { return bytes.size() + slots.size() * kEntryOverhead; }
    };
    static Entry entry(const Block& block, const Slot& slot) {
        return {slot.id, std::string_view(block.bytes).substr(slot.at, slot.size)};
    }
    /// The first block that may hold ids >= id.
    std::size_t block_from(EntryId id) const;
    Slot* slot_of(EntryId id, std::size_t& block);
    void begin_block(std::size_t first_body_bytes);
    void drop_front();
    std::size_t trim_within_front(const TrimRule& rule, Trimmed& trimmed);

    std::deque<std::unique_ptr<Block>> blocks_;
    std::size_t length_ = 0;
    std::int64_t last_position_ = 0;
    std::size_t bytes_ = 0;
};

template <class Visit>
void RedisStream::visit(EntryId from, EntryId to, Visit visit) const {
    for (std::size_t i = block_from(from); i < blocks_.size(); ++i) {
        for (const Slot& slot : blocks_[i]->slots) {
            if (slot.size == 0 || slot.id < from) continue;
            if (slot.id > to || !visit(entry(*blocks_[i], slot))) return;
        }
    }
}

template <class Visit>
void RedisStream::visit_backwards(EntryId from, EntryId to, Visit visit) const {
    for (std::size_t i = std::min(block_from(to) + 1, blocks_.size()); i-- > 0;) {
        const auto& slots = blocks_[i]->slots;
        for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
            if (slot->size == 0 || slot->id > to) continue;
            if (slot->id < from || !visit(entry(*blocks_[i], *slot))) return;
        }
    }
}

} // namespace flotilla::hub
