#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flotilla::hub {

/// The id of a stream entry: milliseconds and a sequence within them, ordered as one 128-bit number.
struct EntryId {
    std::uint64_t ms = 0;
    std::uint64_t sequence = 0;

    static constexpr EntryId max() { return {UINT64_MAX, UINT64_MAX}; }
    constexpr bool is_zero() const { return ms == 0 && sequence == 0; }
    /// The id after this one; nullopt after the last.
    std::optional<EntryId> next() const;
    /// The id before this one; nullopt before 0-0.
    std::optional<EntryId> previous() const;

    /// "1526919030474-55"
    std::string to_string() const;
    void append_to(std::string& out) const;
    /// Sixteen bytes that sort like the ids themselves.
    std::array<char, 16> to_bytes() const;
    /// Requires: sixteen bytes.
    static EntryId from_bytes(std::string_view bytes);

    constexpr auto operator<=>(const EntryId&) const = default;
};

/// "5-1" or "5", whose sequence is then `missing_sequence`. nullopt for anything else.
std::optional<EntryId> parse_entry_id(std::string_view text, std::uint64_t missing_sequence);

} // namespace flotilla::hub
