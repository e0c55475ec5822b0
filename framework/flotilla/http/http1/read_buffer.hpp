#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace flotilla::http {

/// What was read from a connection and not consumed yet: one block that moves its content to the front when it needs
/// room and grows only when asked to. Allocates on first use.
class ReadBuffer {
public:
    explicit ReadBuffer(std::size_t initial_bytes) : initial_bytes_(initial_bytes) {}

    std::span<char> content() { return {block_.get() + begin_, end_ - begin_}; }
    std::string_view view() const { return {block_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    void consume(std::size_t bytes) {
        begin_ += bytes;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    /// Room for at least `bytes` (and at least one initial block). Moves what view() showed.
    std::span<char> space(std::size_t bytes = 1) {
        if (capacity_ - end_ < std::max<std::size_t>(bytes, 1)) make_room(std::max<std::size_t>(bytes, 1));
        return {block_.get() + end_, capacity_ - end_};
    }
    void commit(std::size_t bytes) { end_ += bytes; }
    /// Gives memory back that a large message needed. Keeps content.
    void shrink() {
        if (capacity_ > initial_bytes_ && end_ - begin_ <= initial_bytes_) reallocate(initial_bytes_);
    }

private:
    void make_room(std::size_t bytes) {
        const std::size_t held = end_ - begin_;
        if (held + bytes <= capacity_) {
            std::memmove(block_.get(), block_.get() + begin_, held);
            begin_ = 0;
            end_ = held;
        } else {
            reallocate(std::max({initial_bytes_, 2 * capacity_, held + bytes}));
        }
    }
    void reallocate(std::size_t capacity) {
        const std::size_t held = end_ - begin_;
        auto block = std::make_unique_for_overwrite<char[]>(capacity);
        if (held > 0) std::memcpy(block.get(), block_.get() + begin_, held);
        block_ = std::move(block);
        capacity_ = capacity;
        begin_ = 0;
        end_ = held;
    }

    std::size_t initial_bytes_;
    std::unique_ptr<char[]> block_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

} // namespace flotilla::http
