#include "hub/redis/entry_id.hpp"

#include <charconv>

namespace flotilla::hub {

namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

void put(char* out, std::uint64_t value) {
    for (int i = 7; i >= 0; --i, value >>= 8)
        out[i] = static_cast<char>(value & 0xff);
}

std::uint64_t take(const char* in) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i)
        value = value << 8 | static_cast<unsigned char>(in[i]);
    return value;
}

} // namespace

std::optional<EntryId> EntryId::next() const {
    if (sequence != UINT64_MAX) return EntryId{ms, sequence + 1};
    if (ms != UINT64_MAX) return EntryId{ms + 1, 0};
    return std::nullopt;
}

std::optional<EntryId> EntryId::previous() const {
    if (sequence != 0) return EntryId{ms, sequence - 1};
    if (ms != 0) return EntryId{ms - 1, UINT64_MAX};
    return std::nullopt;
}

void EntryId::append_to(std::string& out) const {
    std::array<char, 44> text;
    char* at = std::to_chars(text.data(), text.data() + text.size(), ms).ptr;
    *at++ = '-';
    at = std::to_chars(at, text.data() + text.size(), sequence).ptr;
    out.append(text.data(), at);
}

std::string EntryId::to_string() const {
    std::string text;
    append_to(text);
    return text;
}

std::array<char, 16> EntryId::to_bytes() const {
    std::array<char, 16> bytes;
    put(bytes.data(), ms);
    put(bytes.data() + 8, sequence);
    return bytes;
}

EntryId EntryId::from_bytes(std::string_view bytes) { return {take(bytes.data()), take(bytes.data() + 8)}; }

std::optional<EntryId> parse_entry_id(std::string_view text, std::uint64_t missing_sequence) {
    const std::size_t dash = text.find('-');
    const auto ms = parse_number(text.substr(0, dash));
    if (!ms) return std::nullopt;
    if (dash == std::string_view::npos) return EntryId{*ms, missing_sequence};
    const auto sequence = parse_number(text.substr(dash + 1));
    if (!sequence) return std::nullopt;
    return EntryId{*ms, *sequence};
}

} // namespace flotilla::hub
