#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::http {

/// Bytes of a representation, both ends included.
struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t size() const { return last - first + 1; }
    bool operator==(const ByteRange&) const = default;
};

/// What a Range field asks of a representation.
struct RequestedRanges {
    enum class Answer : unsigned char {
        whole,         ///< 200: the field is none of bytes, is malformed, or asks for too much
        partial,       ///< 206: `ranges`
        unsatisfiable, ///< 416
    };
    Answer answer = Answer::whole;
    std::vector<ByteRange> ranges = {}; ///< in the order asked for
};

/// More ranges than this in one request are answered with the whole.
inline constexpr std::size_t kRangesMax = 8;

/// Reads a Range field (RFC 9110 §14.2) for a representation of `size` bytes. Ranges that overlap, and too many, would
/// make a small request a large answer: they get the whole, once, as §14.2 allows. So does a representation without
/// bytes, which has no part.
RequestedRanges requested_ranges(std::string_view field, std::uint64_t size);

/// "bytes 0-9/100" and, for 416, "bytes */100".
std::string content_range(const ByteRange& range, std::uint64_t size);
std::string unsatisfied_range(std::uint64_t size);

} // namespace flotilla::http
