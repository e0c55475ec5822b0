#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

#include "hub/redis/entry_id.hpp"

namespace flotilla::hub {

/// Entries of one stream with consecutive positions, on their way to one row of the journal: a row costs SQLite about
/// as much for fifty entries as for one. Thread-safety: none.
class EntryBatch {
public:
    /// Bounds what removing one entry reads and writes.
    static constexpr std::size_t kEntriesMax = 64;
    static constexpr std::size_t kBodyBytesMax = 16 * 1024; ///< one larger entry is a batch of its own

    std::int64_t stream() const { return stream_; }
    bool empty() const { return ids_.empty(); }
    std::int64_t last_position() const { return last_position_; }
    /// The row's columns; sizes is empty for a single entry.
    std::string_view ids() const { return ids_; }
    std::string_view sizes() const;
    std::string_view bodies() const { return bodies_; }

    /// Begins again, empty, for a stream.
    void start(std::int64_t stream);
    bool takes(std::int64_t position, std::size_t body_bytes) const;
    /// Requires: takes().
    void add(std::int64_t position, EntryId id, std::string_view body);
    /// Empty again, for the same stream.
    void clear() { start(stream_); }

private:
    std::int64_t stream_ = 0;
    std::int64_t last_position_ = 0;
    std::string ids_;    // 16 bytes each
    std::string sizes_;  // 4 bytes each, little-endian
    std::string bodies_; // one after another
};

/// Such a row, read back. It is named by its last entry's position: so what a trim removes whole is a range of names.
struct EntryRow {
    std::int64_t last_position = 0;
    std::string_view ids;
    std::string_view sizes;
    std::string_view bodies;

    /// Calls visit(position, id, body) for entries that were not removed. Errors: internal for a row that is damaged.
    template <class Visit>
    Result<void> for_each(Visit visit) const;
};

/// Marks an entry in a row's sizes (not empty) as removed. False when none is left: the row can go.
/// Errors: internal when the row has no such entry.
Result<bool> remove_from_sizes(std::string& sizes, std::int64_t last_position, std::int64_t position);

namespace detail {

inline constexpr std::size_t kIdBytes = 16;
inline constexpr std::size_t kSizeBytes = 4;
inline constexpr std::uint32_t kRemoved = std::uint32_t{1} << 31;
std::uint32_t size_at(std::string_view sizes, std::size_t index);
Error damaged_row();

} // namespace detail

template <class Visit>
Result<void> EntryRow::for_each(Visit visit) const {
    const std::size_t count = ids.size() / detail::kIdBytes;
    const bool single = sizes.empty();
    if (ids.size() != count * detail::kIdBytes || (single ? count != 1 : sizes.size() != count * detail::kSizeBytes)) {
        return detail::damaged_row();
    }
    std::int64_t position = last_position - static_cast<std::int64_t>(count);
    std::string_view rest = bodies;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t size = single ? 0 : detail::size_at(sizes, i);
        const std::size_t bytes = single ? bodies.size() : size & ~detail::kRemoved;
        if (bytes > rest.size()) return detail::damaged_row();
        ++position;
        if ((size & detail::kRemoved) == 0) {
            visit(position, EntryId::from_bytes(ids.substr(i * detail::kIdBytes, detail::kIdBytes)),
                  rest.substr(0, bytes));
        }
        rest.remove_prefix(bytes);
    }
    if (!rest.empty()) return detail::damaged_row();
    return {};
}

} // namespace flotilla::hub
