#pragma once

#include <atomic>

#include "hub/redis/stream_journal.hpp"

namespace flotilla::hub {

/// A journal whose disk is full when told so.
class FullDisk final : public StreamJournal {
public:
    explicit FullDisk(StreamJournal& inner) : inner_(inner) {}
    std::atomic<bool> full = false;
    std::atomic<int> probes = 0;

    void stream_saved(std::int64_t s, std::string_view key, const StreamHead& head) override {
        inner_.stream_saved(s, key, head);
    }
    void stream_dropped(std::int64_t s) override { inner_.stream_dropped(s); }
    void entry_added(std::int64_t s, std::int64_t position, EntryId id, std::string_view body) override {
        inner_.entry_added(s, position, id, body);
    }
    void entry_removed(std::int64_t s, std::int64_t position) override { inner_.entry_removed(s, position); }
    void entries_removed_through(std::int64_t s, std::int64_t position) override {
        inner_.entries_removed_through(s, position);
    }
    void group_saved(std::int64_t s, std::int64_t g, std::string_view name, EntryId last, std::int64_t read) override {
        inner_.group_saved(s, g, name, last, read);
    }
    void group_dropped(std::int64_t g) override { inner_.group_dropped(g); }
    void consumer_saved(std::int64_t g, std::int64_t c, std::string_view name, std::int64_t seen) override {
        inner_.consumer_saved(g, c, name, seen);
    }
    void consumer_dropped(std::int64_t g, std::int64_t c) override { inner_.consumer_dropped(g, c); }
    void pending_saved(std::int64_t g, EntryId id, std::int64_t c, std::int64_t at, std::int64_t count) override {
        inner_.pending_saved(g, id, c, at, count);
    }
    void pending_removed(std::int64_t g, EntryId id) override { inner_.pending_removed(g, id); }
    bool has_changes() const override { return inner_.has_changes(); }
    Result<void> commit() override {
        if (!full || !inner_.has_changes()) return inner_.commit(); // nothing to write: nothing fails
        inner_.abandon();
        return Error(Kind::unavailable, "database or disk is full");
    }
    Result<void> tidy() override { return inner_.tidy(); }
    Result<void> probe() override {
        ++probes;
        if (full) return Error(Kind::unavailable, "database or disk is full");
        return inner_.probe();
    }
    Result<void> begin_copy() override { return inner_.begin_copy(); }
    Result<bool> copy_some() override {
        if (full) return Error(Kind::unavailable, "database or disk is full");
        return inner_.copy_some();
    }
    void abandon() override { inner_.abandon(); }
    Result<void> load(StreamChanges& into) override { return inner_.load(into); }

private:
    StreamJournal& inner_;
};

} // namespace flotilla::hub
