#include "services/notification/domain/mails.hpp"

#include <array>

#include <gtest/gtest.h>

#include "services/notification/domain/mail_template.hpp"

namespace notification::mails_test {
namespace {

Mail welcome_mail(std::string event, std::string address, std::string name) {
    return mail_about({.id = std::move(event)}, {std::move(address), std::move(name)});
}

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

// Goal: each kind has its template, whose names are all known, and is told by its subject.
TEST(NotificationMails, EachKindHasItsTemplate) {
    const auto subject = [](Template kind) {
        const auto mail = mail_about({.id = "e", .kind = kind, .order_id = "o-1", .reason = "out of stock"},
                                     {.address = "a@b.c", .name = "Ada"});
        EXPECT_TRUE(mail.text.starts_with("Hello Ada,\n\n")) << mail.text;
        EXPECT_FALSE((mail.subject + mail.text + mail.html).contains("{{"));
        return mail.subject;
    };
    EXPECT_EQ(subject(Template::welcome), "Welcome aboard");
    EXPECT_EQ(subject(Template::order_confirmed), "Your order o-1 is confirmed");
    EXPECT_EQ(subject(Template::order_cancelled), "Your order o-1 was cancelled");
    EXPECT_EQ(subject(Template::order_dispatched), "Your order o-1 is on its way");
}

// Goal: what comes from outside is text in a page, whatever it holds, and stands in the plain part as it is.
TEST(NotificationMails, ValuesAreTextInAPage) {
    const auto mail = mail_about(
        {.id = "e", .kind = Template::order_cancelled, .order_id = "o-1", .reason = "<a href=\"x\">free & 'easy'</a>"},
        {.address = "a@b.c", .name = "Ada {{reason}}"});
    EXPECT_TRUE(mail.html.contains("&lt;a href=&quot;x&quot;&gt;free &amp; &#39;easy&#39;&lt;/a&gt;")) << mail.html;
    EXPECT_TRUE(mail.html.contains("Hello Ada {{reason}},")) << "a value is no template: " << mail.html;
    EXPECT_TRUE(mail.text.contains("was cancelled: <a href=\"x\">free & 'easy'</a>\n")) << mail.text;
}

// Goal: a mail with a page has both, the plain text first, in parts that cannot be confused.
TEST(NotificationMails, PageIsAnAlternative) {
    const auto text = to_rfc5322(
        mail_about({.id = "e", .kind = Template::order_dispatched, .order_id = "o-1"}, {"a@b.c", "--=_flotilla"}),
        "shop@b.c", flotilla::Timestamp(0));
    const auto plain = text.find("--=_flotilla\r\nContent-Type: text/plain; charset=utf-8\r\n");
    const auto page = text.find("--=_flotilla\r\nContent-Type: text/html; charset=utf-8\r\n");
    EXPECT_TRUE(text.contains("Content-Type: multipart/alternative; boundary=\"=_flotilla\"\r\n\r\n")) << text;
    ASSERT_NE(plain, std::string::npos) << text;
    EXPECT_LT(plain, page);
    EXPECT_TRUE(text.ends_with("--=_flotilla--\r\n")) << text;
}

// Goal: a template that asks for what nobody gives does not go out half filled.
TEST(NotificationTemplates, UnknownNamesAreRefused) {
    const std::array values{TemplateValue{"name", "Ada"}};
    EXPECT_EQ(filled_text("{{name}}{{name}} }} {", values), "AdaAda }} {");
    EXPECT_THROW(filled_text("{{order}}", values), std::logic_error);
    EXPECT_THROW(filled_text("{{name", values), std::logic_error);
}

} // namespace
} // namespace notification::mails_test
