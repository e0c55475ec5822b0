#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Paths and mailboxes of SMTP commands (RFC 5321 §4.1.2, with RFC 6531's characters beyond ASCII). Pure functions.
namespace flotilla::hub {

/// "<path> PARAMETER PARAMETER=value" after MAIL FROM: or RCPT TO:.
struct MailPath {
    std::string address;                 ///< canonical; empty: "<>"
    std::vector<std::string> parameters; ///< ASCII letters in upper case
};

/// nullopt: malformed. A source route ("<@a,@b:user@x>") is accepted and ignored, as RFC 5321 §4.1.1.3 asks. More is
/// taken than the RFC allows where senders are known to write it: blanks before the path, names without a domain, dots
/// anywhere in a name.
std::optional<MailPath> parse_mail_path(std::string_view text);

/// A mailbox as it is kept and compared: a local part is quoted only where it must be, since quotes are no part of it
/// ("\"ada\"@x" is ada@x, "\"odd \\user\"@x" is "odd user"@x). nullopt: it is none.
std::optional<std::string> canonical_mailbox(std::string_view text);

} // namespace flotilla::hub
