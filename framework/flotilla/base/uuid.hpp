#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <flotilla/base/fixed_text.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla {

/// In its usual form: "01890a5d-ac96-774b-bcce-b302099a8057".
using Uuid = FixedText<36>;

/// A UUID of version 7 (RFC 9562 §5.7), lower-case: 48 bits of Unix milliseconds, then 74 of the 80 random bits. Ids
/// of different milliseconds sort by time. Requires: a time from 1970 to the year 10889 (throws std::out_of_range).
Uuid make_uuid_v7(Timestamp now, std::span<const std::uint8_t, 10> random);

/// Whether text is a UUID of any version in its 36-character form (RFC 9562 §4), upper or lower case.
bool is_uuid(std::string_view text);

} // namespace flotilla
