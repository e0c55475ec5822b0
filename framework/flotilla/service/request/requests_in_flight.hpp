#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace flotilla {

/// The idempotent requests being handled right now in this process: a second one with the same key is a conflict
/// until the first has ended. Thread-safe.
struct RequestsInFlight {
    class Entry {
    public:
        Entry(RequestsInFlight& set, std::string name) : set_(&set), name_(std::move(name)) {}
        Entry(Entry&& other) noexcept : set_(std::exchange(other.set_, nullptr)), name_(std::move(other.name_)) {}
        Entry& operator=(Entry&&) = delete;
        ~Entry() {
            if (!set_) return;
            const std::lock_guard lock(set_->mutex_);
            set_->names_.erase(name_);
        }

    private:
        RequestsInFlight* set_;
        std::string name_;
    };

    /// nullopt when it is already there.
    std::optional<Entry> enter(std::string name) {
        const std::lock_guard lock(mutex_);
        if (!names_.insert(name).second) return std::nullopt;
        return Entry(*this, std::move(name));
    }

private:
    std::mutex mutex_;
    std::set<std::string> names_;
};

} // namespace flotilla
