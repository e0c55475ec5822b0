#pragma once

#include <string>
#include <string_view>

#include "hub/smtp/mime.hpp"

namespace flotilla::hub {

/// Names a mail's content: two mails with the same one are one mail that came twice, as when its sender did not see our
/// 250. In it: the envelope's sender, every header field but those named below, and the body, byte by byte. Not in it:
/// what may differ when the same mail is sent again, namely what the way adds (Received, Return-Path, Delivered-To,
/// DKIM-Signature), Date, which senders write anew with every try, and how long fields are folded. 128 bits of a
/// SHA-256 as 32 hexadecimal digits; empty for a mail without a Message-ID, which nothing says was sent before. The
/// recipients are compared elsewhere: senders send one mail to them in parts.
std::string mail_fingerprint(std::string_view sender, const ParsedMail& mail);

} // namespace flotilla::hub
