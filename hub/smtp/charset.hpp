#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Character sets of mails, decoded with the C library's iconv. Pure functions; input may be anything.
namespace flotilla::hub {

/// Bytes in a character set, by its name in mails without regard to case, as UTF-8; what has no meaning in it becomes
/// U+FFFD. nullopt: iconv does not know the set. Names are taken as mail programs mean them: UTF-8, US-ASCII and
/// ISO-8859-1 with bytes that are not of it are Windows-1252, GB2312 is GB18030, Shift_JIS and EUC-KR include Windows'
/// additions.
std::optional<std::string> decode_charset(std::string_view bytes, std::string_view charset);

/// Bytes of which nobody said, or nobody knows, what they are in: UTF-8 when they are valid, else Windows-1252.
std::string decode_unknown(std::string_view bytes);

} // namespace flotilla::hub
