#include <flotilla/http/byte_ranges.hpp>

#include <algorithm>
#include <limits>
#include <optional>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

/// Digits to a number, the largest one when there are too many.
std::optional<std::uint64_t> parse_position(std::string_view digits) {
    constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
    if (digits.empty()) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
    }
    return value;
}

/// Compares digits as numbers of any length.
bool is_less(std::string_view a, std::string_view b) {
    for (auto* digits : {&a, &b})
        digits->remove_prefix(std::min(digits->find_first_not_of('0'), digits->size()));
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

/// One range-spec. False when it is malformed; `into` gets it when the representation has bytes of it.
bool read_spec(std::string_view spec, std::uint64_t size, std::vector<ByteRange>& into) {
    const auto dash = spec.find('-');
    if (dash == std::string_view::npos) return false;
    const auto begin = spec.substr(0, dash), end = spec.substr(dash + 1);
    if (begin.empty()) { // a suffix
        const auto count = parse_position(end);
        if (!count) return false;
        if (*count > 0) into.push_back({size - std::min(*count, size), size - 1});
        return true;
    }
    const auto first = parse_position(begin);
    const auto last = end.empty() ? std::numeric_limits<std::uint64_t>::max() : parse_position(end);
    if (!first || !last || (!end.empty() && is_less(end, begin))) return false;
    if (*first < size) into.push_back({*first, std::min(*last, size - 1)});
    return true;
}

bool overlap(std::vector<ByteRange> ranges) {
    std::ranges::sort(ranges, {}, &ByteRange::first);
    return std::ranges::adjacent_find(ranges, [](const auto& a, const auto& b) { return b.first <= a.last; }) !=
           ranges.end();
}

} // namespace

RequestedRanges requested_ranges(std::string_view field, std::uint64_t size) {
    using Answer = RequestedRanges::Answer;
    const auto equals = field.find('=');
    if (size == 0 || equals == std::string_view::npos || !equal_ignoring_case(field.substr(0, equals), "bytes"))
        return {};
    RequestedRanges asked;
    std::size_t count = 0;
    bool valid = true;
    for_each_element(field.substr(equals + 1), [&](std::string_view spec) {
        valid = valid && ++count <= kRangesMax && read_spec(spec, size, asked.ranges);
    });
    if (!valid || count == 0 || overlap(asked.ranges)) return {};
    asked.answer = asked.ranges.empty() ? Answer::unsatisfiable : Answer::partial;
    return asked;
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
    return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + std::to_string(size);
}

std::string unsatisfied_range(std::uint64_t size) { return "bytes */" + std::to_string(size); }

} // namespace flotilla::http
