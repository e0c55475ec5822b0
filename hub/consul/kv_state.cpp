#include "hub/consul/kv_state.hpp"

#include <algorithm>

namespace flotilla::hub::consul {
namespace {

constexpr std::size_t kTombstonesMax = 4096;

} // namespace

const KvEntry* KvState::find(std::string_view key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
}

std::vector<const KvEntry*> KvState::list(std::string_view prefix) const {
    std::vector<const KvEntry*> result;
    for (auto at = first_of(prefix); at != entries_.end() && at->first.starts_with(prefix); ++at)
        result.push_back(&at->second);
    return result;
}

std::vector<std::string> KvState::keys(std::string_view prefix, std::string_view separator) const {
    std::vector<std::string> result;
    for (const auto* entry : list(prefix)) {
        auto key = entry->key;
        if (!separator.empty()) {
            const auto cut = key.find(separator, prefix.size());
            if (cut != std::string::npos) key.resize(cut + separator.size());
        }
        if (result.empty() || result.back() != key) result.push_back(std::move(key));
    }
    return result;
}

std::uint64_t KvState::index_of_key(std::string_view key) const {
    const auto* entry = find(key);
    return entry ? entry->modify_index : last_index_;
}

std::uint64_t KvState::index_of_prefix(std::string_view prefix) const {
    std::uint64_t index = tombstone_floor_;
    for (const auto* entry : list(prefix))
        index = std::max(index, entry->modify_index);
    for (auto at = tombstones_.lower_bound(prefix); at != tombstones_.end() && at->first.starts_with(prefix); ++at) {
        index = std::max(index, at->second);
    }
    return index == 0 ? last_index_ : index;
}

void KvState::touch(std::string_view key, std::uint64_t at) {
    changes_.undo.number(last_index_);
    last_index_ = at;
    changes_.touch(Table::kv, key);
    changes_.touch(Table::meta, "kv");
}

void KvState::write(std::string_view key, std::string value, std::uint64_t flags, Lock lock) {
    const auto found = entries_.find(key);
    const bool fresh = found == entries_.end();
    if (!fresh) {
        const auto& same = found->second;
        if (same.session == lock.session && same.lock_index == lock.index && same.value == value && same.flags == flags)
            return;
    }
    changes_.undo.entry(entries_, key);
    changes_.undo.number(bytes_);
    auto& entry = fresh ? entries_[std::string(key)] : found->second;
    const auto at = index_.next();
    if (fresh) {
        entry.key = key;
        entry.create_index = at;
        changes_.undo.entry(tombstones_, key);
        tombstones_.erase(entry.key);
    }
    bytes_ += value.size() - entry.value.size();
    entry.value = std::move(value);
    entry.flags = flags;
    entry.modify_index = at;
    entry.session = std::move(lock.session);
    entry.lock_index = lock.index;
    touch(key, at);
}

void KvState::set(std::string_view key, std::string value, std::uint64_t flags) {
    const auto* entry = find(key);
    write(key, std::move(value), flags, {entry ? entry->session : "", 0});
}

bool KvState::cas(std::string_view key, std::string value, std::uint64_t flags, std::uint64_t expected) {
    const auto* entry = find(key);
    if ((entry ? entry->modify_index : 0) != expected) return false;
    set(key, std::move(value), flags);
    return true;
}

bool KvState::acquire(std::string_view key, std::string value, std::uint64_t flags, std::string_view session,
                      Instant now) {
    const auto* entry = find(key);
    if (entry && !entry->session.empty() && entry->session != session) return false;
    if (lock_rests(key, now)) return false;
    const auto taken = entry ? entry->lock_index : 0;
    const bool renewed = entry && entry->session == session;
    write(key, std::move(value), flags, {std::string(session), renewed ? taken : taken + 1});
    return true;
}

bool KvState::lock_rests(std::string_view key, Instant now) const {
    const auto delay = lock_delays_.find(key);
    return delay != lock_delays_.end() && now < delay->second;
}

bool KvState::release(std::string_view key, std::string value, std::uint64_t flags, std::string_view session) {
    const auto* entry = find(key);
    if (!entry || session.empty() || entry->session != session) return false;
    write(key, std::move(value), flags, {"", entry->lock_index});
    return true;
}

void KvState::erase(Entries::iterator at, std::uint64_t index) {
    changes_.undo.entry(tombstones_, at->first);
    changes_.undo.number(bytes_);
    tombstones_[at->first] = index;
    touch(at->first, index);
    bytes_ -= at->second.value.size();
    changes_.undo.erase(entries_, at);
    if (tombstones_.size() > kTombstonesMax) drop_old_tombstones();
}

/// Half of them at once, so that a deletion costs little on average.
void KvState::drop_old_tombstones() {
    std::vector<std::uint64_t> indexes;
    for (const auto& [key, index] : tombstones_)
        indexes.push_back(index);
    const auto middle = indexes.begin() + static_cast<std::ptrdiff_t>(indexes.size() / 2);
    std::ranges::nth_element(indexes, middle);
    tombstone_floor_ = std::max(tombstone_floor_, *middle);
    std::erase_if(tombstones_, [this](const auto& each) { return each.second <= tombstone_floor_; });
}

void KvState::remove(std::string_view key) {
    if (const auto found = entries_.find(key); found != entries_.end()) erase(found, index_.next());
}

bool KvState::remove_cas(std::string_view key, std::uint64_t expected) {
    const auto* entry = find(key);
    if (!entry) return true;
    if (entry->modify_index != expected) return false;
    remove(key);
    return true;
}

void KvState::remove_tree(std::string_view prefix) {
    auto at = entries_.lower_bound(prefix);
    if (at == entries_.end() || !at->first.starts_with(prefix)) return;
    const auto index = index_.next();
    while (at != entries_.end() && at->first.starts_with(prefix))
        erase(at++, index);
}

void KvState::end_session(std::string_view session, SessionBehavior behavior, Duration lock_delay, Instant now) {
    if (session.empty()) return;
    for (auto at = entries_.begin(); at != entries_.end();) {
        const auto each = at++;
        auto& entry = each->second;
        if (entry.session != session) continue;
        if (lock_delay > Duration::zero()) lock_delays_[entry.key] = now + lock_delay;
        if (behavior == SessionBehavior::delete_) {
            erase(each, index_.next());
        } else {
            auto value = entry.value;
            write(entry.key, std::move(value), entry.flags, {"", entry.lock_index});
        }
    }
    std::erase_if(lock_delays_, [now](const auto& delay) { return delay.second <= now; });
}

void KvState::restore(std::uint64_t last_index, std::vector<KvEntry> entries) {
    last_index_ = last_index;
    tombstone_floor_ = last_index; // what was deleted before is not known any more
    for (auto& entry : entries) {
        auto key = entry.key;
        bytes_ += entry.value.size();
        entries_.insert_or_assign(std::move(key), std::move(entry));
    }
}

} // namespace flotilla::hub::consul
