#include "hub/redis/keyspace.hpp"

namespace flotilla::hub {

namespace {

// What one of each costs beside its text, approximately.
constexpr std::size_t kKeyBytes = 200;
constexpr std::size_t kGroupBytes = 250;
constexpr std::size_t kConsumerBytes = 200;
constexpr std::size_t kPendingBytes = 130;

std::size_t cost_of(const ConsumerGroup& group) {
    std::size_t bytes = kGroupBytes + group.name.size() + group.pending.size() * kPendingBytes;
    for (const auto& [name, consumer] : group.consumers)
        bytes += kConsumerBytes + name.size();
    return bytes;
}

std::size_t cost_of(const KeyValue& value) {
    std::size_t bytes = value.text.size();
    if (value.stream) {
        bytes += value.stream->bytes();
        for (const auto& [name, group] : value.stream->groups)
            bytes += cost_of(*group);
    }
    return bytes;
}

constexpr std::size_t kFreeNumbersMax = 65'536; // collected at a time: a walk over all keys pays for so many streams

/// What a row refers to; null when there is none.
template <class Object>
Object* referred(const std::unordered_map<std::int64_t, Object*>& loaded, std::int64_t row) {
    const auto found = loaded.find(row);
    return found == loaded.end() ? nullptr : found->second;
}

} // namespace

Keyspace::Keyspace(StreamJournal& journal, KeyspaceLimits limits) : journal_(journal), limits_(limits) {}

// ---- journal ----

Result<void> Keyspace::load() {
    dirty_streams_.clear();
    dirty_groups_.clear();
    free_streams_.clear(); // of streams whose end was not committed
    damage_.reset();
    std::erase_if(keys_, [&](const auto& each) {
        if (!each.second.stream) return false;
        used_bytes_ -= kKeyBytes + each.first.size() + cost_of(each.second);
        return true;
    });
    stream_expiries_.clear();
    auto loaded = journal_.load(*this);
    loaded_streams_.clear();
    loaded_groups_.clear();
    loaded_consumers_.clear();
    if (loaded && damage_) return std::move(*damage_);
    return loaded;
}

Result<void> Keyspace::commit() {
    for (RedisStream* stream : dirty_streams_) {
        stream->dirty = false;
        save_head(*stream);
    }
    for (const DirtyGroup& each : dirty_groups_) {
        each.group->dirty = false;
        journal_.group_saved(each.stream->row, each.group->row, each.group->name, each.group->last_id,
                             each.group->entries_read);
    }
    dirty_streams_.clear();
    dirty_groups_.clear();
    return journal_.commit();
}

void Keyspace::save_head(const RedisStream& stream) {
    journal_.stream_saved(stream.row, stream.key,
                          {.last_id = stream.last_id,
                           .max_deleted_id = stream.max_deleted_id,
                           .entries_added = stream.entries_added,
                           .expires_ms = find(stream.key)->expires_ms});
}

void Keyspace::stream_saved(std::int64_t row, std::string_view key, const StreamHead& head) {
    if (row < 1 || row > kStreamsMax) {
        damage_ = damaged_journal("a stream with a number that none may have");
        return;
    }
    erase(key); // a string that was set over the stream, in a turn that could not be committed
    KeyValue& value = insert(key);
    value.stream = std::make_unique<RedisStream>();
    RedisStream& stream = *value.stream;
    stream.row = row;
    stream.key = key;
    stream.last_id = head.last_id;
    stream.max_deleted_id = head.max_deleted_id;
    stream.entries_added = head.entries_added;
    stream.reserve_positions(head.last_position);
    value.expires_ms = head.expires_ms;
    if (value.expires_ms) stream_expiries_.emplace(value.expires_ms, stream.key);
    last_stream_ = std::max(last_stream_, row);
    loaded_streams_.emplace(row, &stream);
}

void Keyspace::entry_added(std::int64_t row, std::int64_t position, EntryId id, std::string_view body) {
    RedisStream* const found = referred(loaded_streams_, row);
    if (!found) {
        damage_ = damaged_journal("entries of a stream that it does not have");
        return;
    }
    RedisStream& stream = *found;
    used_bytes_ -= stream.bytes();
    stream.restore(position, id, body);
    used_bytes_ += stream.bytes();
    if (id <= stream.last_id) return;
    stream.last_id = id; // added since the head was saved
    ++stream.entries_added;
}

void Keyspace::group_saved(std::int64_t stream, std::int64_t row, std::string_view name, EntryId last_id,
                           std::int64_t entries_read) {
    RedisStream* const owner = referred(loaded_streams_, stream);
    if (!owner) {
        damage_ = damaged_journal("a group of a stream that it does not have");
        return;
    }
    auto group = std::make_unique<ConsumerGroup>();
    group->row = row;
    group->name = name;
    group->last_id = last_id;
    group->entries_read = entries_read;
    used_bytes_ += cost_of(*group);
    last_row_ = std::max(last_row_, row);
    loaded_groups_.emplace(row, group.get());
    owner->groups.emplace(group->name, std::move(group));
}

void Keyspace::consumer_saved(std::int64_t group, std::int64_t row, std::string_view name, std::int64_t seen_ms) {
    ConsumerGroup* const owner = referred(loaded_groups_, group);
    if (!owner) {
        damage_ = damaged_journal("a consumer of a group that it does not have");
        return;
    }
    auto consumer = std::make_unique<Consumer>();
    consumer->row = row;
    consumer->name = name;
    consumer->seen_ms = seen_ms;
    used_bytes_ += kConsumerBytes + name.size();
    last_row_ = std::max(last_row_, row);
    loaded_consumers_.emplace(row, consumer.get());
    owner->consumers.emplace(consumer->name, std::move(consumer));
}

void Keyspace::pending_saved(std::int64_t group, EntryId id, std::int64_t consumer, std::int64_t delivered_ms,
                             std::int64_t deliveries) {
    ConsumerGroup* const owning_group = referred(loaded_groups_, group);
    Consumer* const found = referred(loaded_consumers_, consumer);
    if (!owning_group || !found) {
        damage_ = damaged_journal("a pending entry of a group or consumer that it does not have");
        return;
    }
    Consumer& owner = *found;
    owning_group->pending.emplace(id, PendingEntry{&owner, delivered_ms, deliveries});
    owner.pending.insert(id);
    owner.seen_ms = std::max(owner.seen_ms, delivered_ms);
    used_bytes_ += kPendingBytes;
}

// ---- keys ----

KeyValue* Keyspace::find(std::string_view key) {
    const auto found = keys_.find(key);
    return found == keys_.end() ? nullptr : &found->second;
}

KeyValue& Keyspace::insert(std::string_view key) {
    used_bytes_ += kKeyBytes + key.size();
    return keys_.try_emplace(std::string(key)).first->second;
}

KeyValue& Keyspace::set_text(std::string_view key, std::string_view text) {
    KeyValue* value = find(key);
    if (value && value->stream) {
        erase(key);
        value = nullptr;
    }
    if (!value) value = &insert(key);
    used_bytes_ -= value->text.size();
    value->text = text;
    used_bytes_ += value->text.size();
    value_changed(key);
    return *value;
}

void Keyspace::set_expiry(std::string_view key, KeyValue& value, std::int64_t expires_ms) {
    value_changed(key);
    if (value.expires_ms == expires_ms) return;
    if (value.expires_ms) expiries_of(value).erase({value.expires_ms, std::string(key)});
    value.expires_ms = expires_ms;
    if (expires_ms) expiries_of(value).emplace(expires_ms, std::string(key));
    if (value.stream) touch(*value.stream);
}

bool Keyspace::erase(std::string_view key) {
    const auto found = keys_.find(key);
    if (found == keys_.end()) return false;
    value_changed(key);
    KeyValue& value = found->second;
    used_bytes_ -= kKeyBytes + found->first.size() + cost_of(value);
    if (value.expires_ms) expiries_of(value).erase({value.expires_ms, found->first});
    if (value.stream) {
        forget(*value.stream);
        journal_.stream_dropped(value.stream->row);
    }
    keys_.erase(found);
    return true;
}

std::vector<std::string> Keyspace::expire(std::int64_t now_ms, Expire which) {
    std::vector<std::string> gone;
    expire(text_expiries_, now_ms, gone);
    if (which == Expire::everything) expire(stream_expiries_, now_ms, gone);
    return gone;
}

void Keyspace::expire(Expiries& expiries, std::int64_t now_ms, std::vector<std::string>& gone) {
    while (!expiries.empty() && expiries.begin()->first <= now_ms) {
        gone.push_back(std::move(expiries.extract(expiries.begin()).value().second));
        erase(gone.back());
    }
}

// ---- streams ----

RedisStream& Keyspace::create_stream(std::string_view key) {
    KeyValue& value = insert(key);
    value.stream = std::make_unique<RedisStream>();
    value.stream->row = next_stream_number();
    value.stream->key = key;
    save_head(*value.stream); // at once: groups and entries refer to it
    value_changed(key);
    return *value.stream;
}

std::int64_t Keyspace::next_stream_number() {
    if (last_stream_ < limits_.streams_max) return ++last_stream_;
    if (free_streams_.empty()) collect_free_numbers();
    const std::int64_t number = free_streams_.back();
    free_streams_.pop_back();
    return number;
}

/// Fewer keys than numbers, as create_stream() requires: there is a free one.
void Keyspace::collect_free_numbers() {
    std::vector<bool> used(static_cast<std::size_t>(std::max(limits_.streams_max, last_stream_)) + 1);
    for (const auto& [key, value] : keys_) {
        if (value.stream) used[static_cast<std::size_t>(value.stream->row)] = true;
    }
    for (std::size_t number = 1; std::cmp_less_equal(number, limits_.streams_max); ++number) {
        if (used[number]) continue;
        free_streams_.push_back(static_cast<std::int64_t>(number));
        if (free_streams_.size() == kFreeNumbersMax) return;
    }
}

void Keyspace::append(RedisStream& stream, EntryId id, std::string_view body) {
    used_bytes_ -= stream.bytes();
    const std::int64_t position = stream.append(id, body);
    used_bytes_ += stream.bytes();
    stream.last_id = id;
    ++stream.entries_added;
    journal_.entry_added(stream.row, position, id, body); // tells the head's new numbers, too
    value_changed(stream.key);
}

bool Keyspace::remove(RedisStream& stream, EntryId id) {
    used_bytes_ -= stream.bytes();
    const auto position = stream.erase(id);
    used_bytes_ += stream.bytes();
    if (!position) return false;
    journal_.entry_removed(stream.row, *position);
    stream.max_deleted_id = std::max(stream.max_deleted_id, id);
    touch(stream);
    value_changed(stream.key);
    return true;
}

std::size_t Keyspace::trim(RedisStream& stream, const TrimRule& rule) {
    used_bytes_ -= stream.bytes();
    const auto trimmed = stream.trim(rule);
    used_bytes_ += stream.bytes();
    if (trimmed.count == 0) return 0;
    journal_.entries_removed_through(stream.row, trimmed.through);
    touch(stream); // the entries that are gone no longer tell its numbers
    value_changed(stream.key);
    return trimmed.count;
}

void Keyspace::touch(RedisStream& stream) {
    if (stream.dirty) return;
    stream.dirty = true;
    dirty_streams_.push_back(&stream);
}

void Keyspace::forget(RedisStream& stream) {
    std::erase(dirty_streams_, &stream);
    for (auto& [name, group] : stream.groups)
        forget(*group);
}

void Keyspace::forget(ConsumerGroup& group) {
    std::erase_if(dirty_groups_, [&](const DirtyGroup& each) { return each.group == &group; });
}

ConsumerGroup& Keyspace::create_group(RedisStream& stream, std::string_view name, EntryId last_id,
                                      std::int64_t entries_read) {
    auto created = std::make_unique<ConsumerGroup>();
    ConsumerGroup& group = *created;
    group.row = ++last_row_;
    group.name = name;
    group.last_id = last_id;
    group.entries_read = entries_read;
    used_bytes_ += cost_of(group);
    stream.groups.emplace(group.name, std::move(created));
    journal_.group_saved(stream.row, group.row, name, last_id, entries_read);
    return group;
}

void Keyspace::drop_group(RedisStream& stream, ConsumerGroup& group) {
    used_bytes_ -= cost_of(group);
    forget(group);
    journal_.group_dropped(group.row);
    stream.groups.erase(stream.groups.find(group.name));
}

void Keyspace::touch(RedisStream& stream, ConsumerGroup& group) {
    if (group.dirty) return;
    group.dirty = true;
    dirty_groups_.push_back({&stream, &group});
}

Consumer& Keyspace::create_consumer(ConsumerGroup& group, std::string_view name, std::int64_t now_ms) {
    auto created = std::make_unique<Consumer>();
    Consumer& consumer = *created;
    consumer.row = ++last_row_;
    consumer.name = name;
    consumer.seen_ms = now_ms;
    used_bytes_ += kConsumerBytes + name.size();
    group.consumers.emplace(consumer.name, std::move(created));
    journal_.consumer_saved(group.row, consumer.row, name, now_ms);
    return consumer;
}

void Keyspace::drop_consumer(ConsumerGroup& group, Consumer& consumer) {
    for (const EntryId id : consumer.pending)
        group.pending.erase(id);
    used_bytes_ -= kConsumerBytes + consumer.name.size() + consumer.pending.size() * kPendingBytes;
    journal_.consumer_dropped(group.row, consumer.row);
    group.consumers.erase(group.consumers.find(consumer.name));
}

void Keyspace::set_pending(ConsumerGroup& group, EntryId id, Consumer& consumer, std::int64_t delivered_ms,
                           std::int64_t deliveries) {
    const auto [at, created] = group.pending.try_emplace(id);
    PendingEntry& entry = at->second;
    if (created) used_bytes_ += kPendingBytes;
    if (entry.consumer != &consumer) {
        if (entry.consumer) entry.consumer->pending.erase(id);
        consumer.pending.insert(id);
        entry.consumer = &consumer;
    }
    entry.delivered_ms = delivered_ms;
    entry.deliveries = deliveries;
    journal_.pending_saved(group.row, id, consumer.row, delivered_ms, deliveries);
}

bool Keyspace::remove_pending(ConsumerGroup& group, EntryId id) {
    const auto found = group.pending.find(id);
    if (found == group.pending.end()) return false;
    found->second.consumer->pending.erase(id);
    group.pending.erase(found);
    used_bytes_ -= kPendingBytes;
    journal_.pending_removed(group.row, id);
    return true;
}

} // namespace flotilla::hub
