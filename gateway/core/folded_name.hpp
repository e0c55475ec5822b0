#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace flotilla::gateway {

namespace detail {

// Vectors of the compiler's: SSE2 on x86, NEON on ARM.
using Bytes16 [[gnu::vector_size(16)]] = unsigned char;
using Bytes8 [[gnu::vector_size(8)]] = unsigned char;

/// Folds sizeof(Bytes) characters; true when one of them is no letter, digit or '-'.
template <class Bytes>
bool fold(const char* from, char* to) {
    Bytes bytes;
    std::memcpy(&bytes, from, sizeof bytes);
    const Bytes lower = bytes | 0x20;
    const auto letter = std::bit_cast<Bytes>((lower >= 'a') & (lower <= 'z'));
    const auto digit = std::bit_cast<Bytes>((bytes >= '0') & (bytes <= '9'));
    const auto dash = std::bit_cast<Bytes>(bytes == '-');
    const Bytes folded = (letter & lower) | (digit & bytes) | (~(letter | digit) & '-');
    std::memcpy(to, &folded, sizeof folded);
    const Bytes odd = ~(letter | digit | dash);
    std::array<std::uint64_t, sizeof odd / sizeof(std::uint64_t)> words;
    std::memcpy(words.data(), &odd, sizeof odd);
    std::uint64_t any = 0;
    for (const auto word : words)
        any |= word;
    return any != 0;
}

/// Folds a text of one to two times sizeof(Bytes): its first and its last ones, which may overlap.
template <class Bytes>
bool fold_ends(const char* from, char* to, std::size_t size) {
    const auto second = size - sizeof(Bytes);
    const bool odd = fold<Bytes>(from, to);
    return fold<Bytes>(from + second, to + second) || odd;
}

inline bool fold_one(char from, char& to) {
    const bool letter = (from | 0x20) >= 'a' && (from | 0x20) <= 'z';
    const bool digit = from >= '0' && from <= '9';
    to = letter ? static_cast<char>(from | 0x20) : digit ? from : '-';
    return !letter && !digit && from != '-';
}

} // namespace detail

/// A name as the most lenient of readers sees it. CGI, WSGI and their like hand over names with all characters but
/// letters and digits made one: there X.Request.Id and X_Request_Id are x-request-id.
class FoldedName {
public:
    explicit FoldedName(std::string_view name) : size_(std::min(name.size(), text_.size())) {
        const char* from = name.data();
        char* to = text_.data();
        bool odd = false;
        if (size_ >= sizeof(detail::Bytes16)) {
            odd = detail::fold_ends<detail::Bytes16>(from, to, size_);
        } else if (size_ >= sizeof(detail::Bytes8)) {
            odd = detail::fold_ends<detail::Bytes8>(from, to, size_);
        } else {
            for (std::size_t i = 0; i < size_; ++i)
                odd = detail::fold_one(from[i], to[i]) || odd;
        }
        exact_ = !odd;
    }
    std::string_view text() const { return {text_.data(), size_}; }
    /// Every reader sees it so.
    bool exact() const { return exact_; }

private:
    std::array<char, 2 * sizeof(detail::Bytes16)> text_; // longer than each name below; of a prefix the begin is enough
    std::size_t size_;
    bool exact_;
};

} // namespace flotilla::gateway
