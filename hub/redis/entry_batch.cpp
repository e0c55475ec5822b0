#include "hub/redis/entry_batch.hpp"

#include <array>
#include <span>

namespace flotilla::hub {

namespace {

constexpr std::size_t kKeptBytes = 4 * EntryBatch::kBodyBytesMax;

std::array<char, detail::kSizeBytes> size_bytes(std::uint32_t size) {
    std::array<char, detail::kSizeBytes> bytes;
    for (char& byte : bytes) {
        byte = static_cast<char>(size & 0xff);
        size >>= 8;
    }
    return bytes;
}

} // namespace

namespace detail {

std::uint32_t size_at(std::string_view sizes, std::size_t index) {
    std::uint32_t size = 0;
    for (std::size_t i = kSizeBytes; i-- > 0;)
        size = (size << 8) | static_cast<unsigned char>(sizes[index * kSizeBytes + i]);
    return size;
}

Error damaged_row() { return {Kind::internal, "a row of entries is damaged: its sizes do not add up"}; }

} // namespace detail

std::string_view EntryBatch::sizes() const {
    return sizes_.size() == detail::kSizeBytes ? std::string_view() : std::string_view(sizes_);
}

void EntryBatch::start(std::int64_t stream) {
    stream_ = stream;
    ids_.clear();
    sizes_.clear();
    bodies_.clear();
    if (bodies_.capacity() > kKeptBytes) bodies_.shrink_to_fit();
}

bool EntryBatch::takes(std::int64_t position, std::size_t body_bytes) const {
    return empty() || (position == last_position_ + 1 && ids_.size() < kEntriesMax * detail::kIdBytes &&
                       bodies_.size() + body_bytes <= kBodyBytesMax);
}

void EntryBatch::add(std::int64_t position, EntryId id, std::string_view body) {
    last_position_ = position;
    const auto id_bytes = id.to_bytes();
    ids_.append(id_bytes.data(), id_bytes.size());
    const auto size = size_bytes(static_cast<std::uint32_t>(body.size()));
    sizes_.append(size.data(), size.size());
    bodies_.append(body);
}

Result<bool> remove_from_sizes(std::string& sizes, std::int64_t last_position, std::int64_t position) {
    const auto count = static_cast<std::int64_t>(sizes.size() / detail::kSizeBytes);
    const std::int64_t index = count - 1 - (last_position - position);
    if (index < 0 || index >= count) return Error(Kind::internal, "the journal does not have the entry to remove");
    const auto at = static_cast<std::size_t>(index);
    const auto marked = size_bytes(detail::size_at(sizes, at) | detail::kRemoved);
    sizes.replace(at * detail::kSizeBytes, detail::kSizeBytes, marked.data(), marked.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        if ((detail::size_at(sizes, i) & detail::kRemoved) == 0) return true;
    }
    return false;
}

} // namespace flotilla::hub
