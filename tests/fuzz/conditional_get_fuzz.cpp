#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/byte_ranges.hpp>
#include <flotilla/http/conditions.hpp>
#include <flotilla/http/http1/characters.hpp>

#include "tests/fuzz/fuzz.hpp"

// The first line is a size, "W" behind it makes the tag a weak one; lines "Name: value" are fields of a GET. Ranges are
// compared with a reading that does not count in machine words; of conditions what RFC 9110 §13 promises must hold.

namespace flotilla::http {
namespace {

using fuzz::require;

const Timestamp kNow(1'800'000'000'000'000);      // 2027-01-15T08:00:00Z
const Timestamp kModified(1'700'000'000'000'000); // 2023-11-14T22:13:20Z

/// A whole number of any length: its digits without leading zeros.
std::optional<std::string> number(std::string_view digits) {
    if (digits.empty() || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return {};
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return std::string(digits);
}

bool less(const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; }

/// A part of the representation, both ends included; nothing: malformed. `none`: it has no such bytes.
struct Part {
    bool none = false;
    std::uint64_t first = 0, last = 0;
};

std::uint64_t within(const std::string& digits, std::uint64_t most) {
    if (less(std::to_string(most), digits)) return most;
    std::uint64_t value = 0; // of "" too
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

std::optional<Part> part_of(std::string_view spec, std::uint64_t size) {
    const auto dash = spec.find('-');
    if (dash == std::string_view::npos) return {};
    const auto first = number(spec.substr(0, dash)), last = number(spec.substr(dash + 1));
    if (dash == 0) {
        if (!last) return {};
        return Part{last->empty(), size - within(*last, size), size - 1};
    }
    if (!first || (!last && dash + 1 != spec.size()) || (last && less(*last, *first))) return {};
    const bool beyond = !less(*first, std::to_string(size));
    return Part{beyond, beyond ? 0 : within(*first, size), last ? within(*last, size - 1) : size - 1};
}

std::vector<std::string_view> elements_of(std::string_view list) {
    std::vector<std::string_view> elements;
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (const auto element = trim(list.substr(0, comma)); !element.empty()) elements.push_back(element);
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    }
    return elements;
}

bool share_bytes(const std::vector<Part>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (parts[i].first <= parts[j].last && parts[j].first <= parts[i].last) return true;
        }
    }
    return false;
}

void check_ranges(std::string_view field, std::uint64_t size) {
    using Answer = RequestedRanges::Answer;
    const auto asked = requested_ranges(field, size);
    require((asked.answer == Answer::partial) == !asked.ranges.empty(), "an answer without its ranges, or with others");
    std::vector<Part> parts;
    const auto equals = field.find('=');
    const auto elements =
        equals == std::string_view::npos ? std::vector<std::string_view>() : elements_of(field.substr(equals + 1));
    bool whole = size == 0 || elements.empty() || elements.size() > kRangesMax ||
                 !equal_ignoring_case(field.substr(0, std::min(equals, field.size())), "bytes");
    for (const auto& element : elements) {
        if (whole) break;
        const auto part = part_of(element, size);
        whole = !part;
        if (part && !part->none) parts.push_back(*part);
    }
    if (whole || share_bytes(parts)) return require(asked.answer == Answer::whole, "not the whole");
    if (parts.empty()) return require(asked.answer == Answer::unsatisfiable, "not unsatisfiable");
    require(asked.answer == Answer::partial, "not partial");
    require(std::ranges::equal(asked.ranges, parts,
                               [](const auto& a, const auto& b) { return a.first == b.first && a.last == b.last; }),
            "other ranges");
}

Headers with(Headers headers, std::string_view name, std::string_view value) {
    headers.add(name, value);
    return headers;
}

void check_meaning(const Headers& headers, const Validators& current) {
    const bool strong = !current.etag.starts_with("W/");
    const auto found = check_conditions(headers, current, kNow);
    const bool may_fail = headers.has("if-match") || headers.has("if-unmodified-since");
    const bool may_be_known = headers.has("if-none-match") || headers.has("if-modified-since");
    require(may_fail || found != Condition::failed, "failed without a condition that can");
    require(may_be_known || found != Condition::not_modified, "not modified without a condition that says so");

    const auto matching = check_conditions(with(headers, "If-Match", current.etag), current, kNow);
    require(!strong || matching != Condition::failed, "If-Match with the current tag failed");
    require(check_conditions(with(headers, "If-Match", "*"), current, kNow) != Condition::failed, "If-Match: * failed");
    for (const std::string_view known : {std::string_view(current.etag), std::string_view("*")}) {
        const auto again = check_conditions(with(headers, "If-None-Match", known), current, kNow);
        require((again == Condition::failed) == (found == Condition::failed), "If-None-Match changed what failed");
        require(again != Condition::proceed, "If-None-Match with the current tag sent it again");
    }

    const bool counts = range_counts(headers, current, kNow);
    std::vector<std::string_view> if_range;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (equal_ignoring_case(headers[i].name, "if-range")) if_range.push_back(headers[i].value);
    }
    if (if_range.empty()) return require(counts, "a range did not count without If-Range");
    const bool one_state = strong && if_range.size() == 1;
    const bool same_tag = one_state && if_range.front() == current.etag;
    const auto date = Timestamp::parse_http_date(if_range.front(), kNow);
    require(counts == (same_tag || (one_state && date && *date == kModified)),
            "If-Range lets the wrong state's range count");
}

void run(std::string_view text) {
    const auto first = fuzz::take_line(text);
    std::uint64_t size = 0;
    std::from_chars(first.data(), first.data() + first.size(), size);
    const Validators current{.etag = first.ends_with('W') ? "W/\"v1\"" : "\"v1\"", .last_modified = kModified};
    Headers headers;
    while (!text.empty()) {
        const auto line = fuzz::take_line(text);
        const auto colon = line.find(": ");
        if (colon == std::string_view::npos) continue;
        const auto name = line.substr(0, colon), value = line.substr(colon + 2);
        if (!is_token(name) || !is_field_value(value) || value != trim(value)) continue; // the codec lets none through
        if (equal_ignoring_case(name, "range")) check_ranges(value, size);
        headers.add(name, value);
    }
    check_meaning(headers, current);
}

} // namespace
} // namespace flotilla::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    flotilla::http::run(flotilla::fuzz::text_of(data, size));
    return 0;
}
