#include "hub/redis/redis_stream.hpp"

#include <algorithm>

namespace flotilla::hub {

Consumer* ConsumerGroup::find(std::string_view consumer) const {
    const auto found = consumers.find(consumer);
    return found == consumers.end() ? nullptr : found->second.get();
}

ConsumerGroup* RedisStream::find(std::string_view group) const {
    const auto found = groups.find(group);
    return found == groups.end() ? nullptr : found->second.get();
}

EntryId RedisStream::first_id() const {
    EntryId first;
    visit(EntryId{}, EntryId::max(), [&](const Entry& entry) {
        first = entry.id;
        return false;
    });
    return first;
}

EntryId RedisStream::last_entry_id() const {
    EntryId last;
    visit_backwards(EntryId{}, EntryId::max(), [&](const Entry& entry) {
        last = entry.id;
        return false;
    });
    return last;
}

std::int64_t RedisStream::append(EntryId id, std::string_view body) {
    const std::int64_t position = last_position_ + 1;
    restore(position, id, body);
    return position;
}

void RedisStream::restore(std::int64_t position, EntryId id, std::string_view body) {
    last_position_ = std::max(last_position_, position);
    const bool full = blocks_.empty() || blocks_.back()->slots.size() >= kBlockEntries ||
                      blocks_.back()->bytes.size() + body.size() >= kBlockBytes;
    if (full) begin_block(body.size());
    Block& block = *blocks_.back();
    block.slots.push_back(
        {id, position, static_cast<std::uint32_t>(block.bytes.size()), static_cast<std::uint32_t>(body.size())});
    block.bytes.append(body);
    ++block.live;
    ++length_;
    bytes_ += body.size() + kEntryOverhead;
}

/// A stream that has filled a block will fill the next: that one gets its memory at once, instead of growing into it.
void RedisStream::begin_block(std::size_t first_body_bytes) {
    auto block = std::make_unique<Block>();
    if (!blocks_.empty()) {
        Block& filled = *blocks_.back();
        if (filled.bytes.capacity() - filled.bytes.size() > kBlockBytes / 8) filled.bytes.shrink_to_fit();
        block->bytes.reserve(std::max(kBlockBytes, first_body_bytes));
        block->slots.reserve(filled.slots.size());
    }
    blocks_.push_back(std::move(block));
}

std::size_t RedisStream::block_from(EntryId id) const {
    const auto found = std::partition_point(blocks_.begin(), blocks_.end(),
                                            [&](const auto& block) { return block->slots.back().id < id; });
    return static_cast<std::size_t>(found - blocks_.begin());
}

RedisStream::Slot* RedisStream::slot_of(EntryId id, std::size_t& block) {
    block = block_from(id);
    if (block == blocks_.size()) return nullptr;
    auto& slots = blocks_[block]->slots;
    const auto found = std::lower_bound(slots.begin(), slots.end(), id,
                                        [](const Slot& slot, EntryId wanted) { return slot.id < wanted; });
    return found->id == id && found->size > 0 ? &*found : nullptr;
}

std::optional<std::string_view> RedisStream::find(EntryId id) const {
    std::optional<std::string_view> body;
    visit(id, id, [&](const Entry& entry) {
        body = entry.body;
        return false;
    });
    return body;
}

std::optional<std::int64_t> RedisStream::erase(EntryId id) {
    std::size_t at = 0;
    Slot* slot = slot_of(id, at);
    if (!slot) return std::nullopt;
    const std::int64_t position = slot->position;
    slot->size = 0;
    --length_;
    if (--blocks_[at]->live == 0) {
        bytes_ -= blocks_[at]->footprint();
        blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return position;
}

void RedisStream::drop_front() {
    length_ -= blocks_.front()->live;
    bytes_ -= blocks_.front()->footprint();
    blocks_.pop_front();
}

/// Removes entries of the first block one by one, until the rule is met.
std::size_t RedisStream::trim_within_front(const TrimRule& rule, Trimmed& trimmed) {
    std::size_t removed = 0;
    for (Slot& slot : blocks_.front()->slots) {
        const bool keep = rule.by == TrimRule::By::length ? length_ <= rule.length : slot.id >= rule.id;
        if (keep) break;
        if (slot.size == 0) continue;
        slot.size = 0;
        --length_;
        --blocks_.front()->live;
        trimmed.through = slot.position;
        ++removed;
    }
    return removed;
}

RedisStream::Trimmed RedisStream::trim(const TrimRule& rule) {
    Trimmed trimmed;
    if (rule.by == TrimRule::By::none) return trimmed;
    while (!blocks_.empty()) {
        if (rule.by == TrimRule::By::length && length_ <= rule.length) break;
        const Block& block = *blocks_.front();
        if (rule.limit > 0 && trimmed.count + block.live > rule.limit) break;
        // Like Redis, a removed entry at the block's end still counts for its greatest id.
        const EntryId last = block.slots.back().id;
        const bool whole = rule.by == TrimRule::By::length ? length_ - block.live >= rule.length : last < rule.id;
        if (!whole) {
            if (!rule.approximate) trimmed.count += trim_within_front(rule, trimmed);
            break;
        }
        trimmed.count += block.live;
        trimmed.through = block.slots.back().position;
        drop_front();
    }
    return trimmed;
}

bool RedisStream::has_gaps_after(EntryId from) const {
    if (length_ == 0 || max_deleted_id.is_zero()) return false;
    if (first_id() > max_deleted_id) return false; // everything removed lies before what is left
    return from <= max_deleted_id;
}

std::int64_t RedisStream::position_of(EntryId id) const {
    if (entries_added == 0) return 0;
    if (length_ == 0 && id <= last_id) return entries_added;
    if (id == last_id) return entries_added;
    if (id > last_id) return ConsumerGroup::kUnknown;
    const EntryId first = first_id();
    if (max_deleted_id.is_zero() || max_deleted_id < first) {
        const auto length = static_cast<std::int64_t>(length_);
        if (id < first) return entries_added - length;
        if (id == first) return entries_added - length + 1;
    }
    return ConsumerGroup::kUnknown;
}

std::optional<std::int64_t> RedisStream::lag(const ConsumerGroup& group) const {
    if (entries_added == 0) return 0;
    if (group.entries_read != ConsumerGroup::kUnknown && !has_gaps_after(group.last_id)) {
        return entries_added - group.entries_read;
    }
    const std::int64_t position = position_of(group.last_id);
    if (position == ConsumerGroup::kUnknown) return std::nullopt;
    return entries_added - position;
}

} // namespace flotilla::hub
