#include "services/notification/domain/mails.hpp"

#include <gtest/gtest.h>

namespace notification::mails_test {
namespace {

// Goal: the whole message, byte for byte.
TEST(NotificationMails, WelcomeMailIsWellFormed) {
    const auto mail = welcome_mail("event-1", "ada@example.com", "Ada");
    EXPECT_EQ(to_rfc5322(mail, "shop@flotilla.example", flotilla::Timestamp(0)),
              "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"
              "From: shop@flotilla.example\r\n"
              "To: \"Ada\" <ada@example.com>\r\n"
              "Message-ID: <event-1@notification.flotilla>\r\n"
              "Subject: Welcome aboard\r\n"
              "MIME-Version: 1.0\r\n"
              "Content-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: base64\r\n"
              "\r\n"
              "SGVsbG8gQWRhLAoKeW91ciBhY2NvdW50IGlzIHJlYWR5LiBXZSBhcmUgZ2xhZCB0byBoYXZlIHlv\r\n"
              "dSB3aXRoIHVzLgo=\r\n");
}

// Goal: a name cannot add a header or end the display name.
TEST(NotificationMails, HostileNameStaysInItsField) {
    const auto text =
        to_rfc5322(welcome_mail("e", "a@b.c", "Ada\"\r\nBcc: all@example.com"), "shop@b.c", flotilla::Timestamp(0));
    EXPECT_FALSE(text.contains("\r\nBcc:")) << text;
    EXPECT_TRUE(text.contains("To: \"Ada\\\"Bcc: all@example.com\" <a@b.c>\r\n")) << text;
}

// Goal: neither can an address or an event's id that comes from elsewhere.
TEST(NotificationMails, HostileIdAndAddressStayInTheirLines) {
    const auto text =
        to_rfc5322(welcome_mail("e\r\nBcc: x", "a@b.c\r\nBcc: y", "Ada"), "shop@b.c", flotilla::Timestamp(0));
    EXPECT_FALSE(text.contains("\r\nBcc:")) << text;
}

// Goal: what is not ASCII is encoded, and no encoded word cuts a character or grows too long.
TEST(NotificationMails, LongUnicodeNameIsFoldedIntoWords) {
    std::string name;
    for (int i = 0; i < 40; ++i)
        name += "ü€";
    const auto text = to_rfc5322(welcome_mail("e", "a@b.c", name), "shop@b.c", flotilla::Timestamp(0));
    const auto header = text.substr(text.find("To: "), text.find("\r\nMessage-ID") - text.find("To: "));
    EXPECT_TRUE(header.contains("=?UTF-8?B?")) << header;
    for (std::size_t at = 0; (at = header.find("=?UTF-8?B?", at)) != std::string::npos; ++at) {
        EXPECT_LE(header.find("?=", at + 10) + 2 - at, 75U) << header;
    }
}

} // namespace
} // namespace notification::mails_test
