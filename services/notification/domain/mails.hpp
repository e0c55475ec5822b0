#pragma once

#include <string>

#include "services/notification/api/notification.hpp"

namespace notification {

/// A mail, ready to be sent.
struct Mail {
    std::string message_id; ///< without angle brackets
    std::string to_address;
    std::string to_name;
    std::string subject;
    std::string text; ///< UTF-8, lines end in \n
    std::string html; ///< the same as a page; empty: there is none
};

/// The Message-ID of the mail that answers an event: the same event can only ever give the same one.
std::string message_id_of(const std::string& event_id);

/// Whom a mail goes to.
struct Recipient {
    std::string address, name;
};
/// The mail that tells of something, from its template in templates/.
Mail mail_about(const Notification& notification, const Recipient& to);

/// The mail as RFC 5322 text with CRLF line ends. Header values cannot break out of their line: control characters are
/// dropped and what is not ASCII is encoded (RFC 2047).
std::string to_rfc5322(const Mail& mail, const std::string& from, Timestamp date);

} // namespace notification
