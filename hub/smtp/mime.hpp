#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// As much of Internet messages (RFC 5322, 2045, 2047) as a mail catcher needs to show them. Pure functions; input may
/// be anything, and what is malformed is shown as it is.
namespace flotilla::hub {

/// The header fields of a message in order, unfolded, and its body.
struct ParsedMail {
    std::vector<std::pair<std::string, std::string>> fields;
    std::string_view body; ///< within the text that was parsed

    /// The first field of that name, without case; empty when there is none.
    std::string_view field(std::string_view name) const;
};

ParsedMail parse_mail(std::string_view text);

/// Encoded words (`=?utf-8?Q?Gr=C3=BC=C3=9Fe?=`, RFC 2047) as UTF-8; words in a character set that is not known (see
/// decode_charset) stay as they are. Bytes outside of words are UTF-8, or else Windows-1252.
std::string decode_header(std::string_view value);

/// The text of a mail for reading: the body, or the first text/plain part of a multipart one, with its transfer
/// encoding and character set undone, as UTF-8 with LF line ends.
std::string readable_text(const ParsedMail& mail);

/// nullopt when it is not base64; line ends are skipped.
std::optional<std::string> decode_base64(std::string_view text);
/// `underscore_is_space`: the Q encoding of headers.
std::string decode_quoted_printable(std::string_view text, bool underscore_is_space = false);

} // namespace flotilla::hub
