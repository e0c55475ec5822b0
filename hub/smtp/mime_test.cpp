#include "hub/smtp/mime.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub {
namespace {

// Goal: subjects that clients encode come out as people wrote them; what is malformed stays visible.
TEST(Mime, EncodedWordsBecomeUtf8) {
    EXPECT_EQ(decode_header("plain"), "plain");
    EXPECT_EQ(decode_header("=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?= Bonn"), "Grüße aus Bonn");
    EXPECT_EQ(decode_header("=?UTF-8?B?w4k=?= =?utf-8?b?dMOp?="), "Été") << "blanks between two words do not count";
    EXPECT_EQ(decode_header("a =?iso-8859-1?q?=E9?= b"), "a é b");
    EXPECT_EQ(decode_header("=?klingon?q?x?="), "=?klingon?q?x?=");
    EXPECT_EQ(decode_header("=?utf-8?q?broken"), "=?utf-8?q?broken");
    EXPECT_EQ(decode_header("=?utf-8?b?!!?="), "=?utf-8?b?!!?=");
    EXPECT_EQ(decode_header("=?utf-8*de?q?=C3=A4?="), "ä");
}

// Goal: header fields are unfolded and end where the body begins.
TEST(Mime, FieldsAreUnfolded) {
    const ParsedMail mail = parse_mail("Subject: one\r\n two\r\nX-Empty:\r\nto: a@b\r\n\r\nbody: not a field\r\n");
    EXPECT_EQ(mail.field("SUBJECT"), "one two");
    EXPECT_EQ(mail.field("To"), "a@b");
    EXPECT_EQ(mail.field("none"), "");
    EXPECT_EQ(mail.fields.size(), 3u);
    EXPECT_EQ(mail.body, "body: not a field\r\n");
    EXPECT_EQ(parse_mail("Message-ID:\r\n <long@b>\r\n\r\n").field("Message-ID"), "<long@b>");
    EXPECT_EQ(parse_mail("no header at all\r\n").body, "no header at all\r\n");
    EXPECT_EQ(parse_mail("").fields.size(), 0u);
    EXPECT_EQ(parse_mail(" : no name\r\n").fields.size(), 0u);
}

// Goal: the readable text is the decoded body, or the first plain part of a multipart one.
TEST(Mime, ReadableTextUndoesEncodingsAndParts) {
    EXPECT_EQ(readable_text(parse_mail("Subject: x\r\n\r\none\r\ntwo\r\n")), "one\ntwo\n");
    EXPECT_EQ(readable_text(parse_mail("Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe=\r\n!\r\n")),
              "Grüße!\n");
    EXPECT_EQ(readable_text(parse_mail("Content-Transfer-Encoding: base64\r\n\r\nSGVs\r\nbG8=\r\n")), "Hello");
    EXPECT_EQ(readable_text(parse_mail("Content-Type: text/plain; charset=ISO-8859-1\r\n\r\n\xE9\r\n")), "é\n");
    const std::string multipart = "Content-Type: multipart/mixed; boundary=\"AA\"\r\n\r\npreamble\r\n"
                                  "--AA\r\nContent-Type: multipart/alternative; boundary=BB\r\n\r\n"
                                  "--BB\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n"
                                  "--BB\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain\r\n--BB--\r\n"
                                  "--AA--\r\n";
    EXPECT_EQ(readable_text(parse_mail(multipart)), "plain") << "the line end before a boundary is the boundary's";
    EXPECT_EQ(
        readable_text(parse_mail("Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n\r\none\r\n\r\n--A--\r\n")),
        "one\n");
    EXPECT_EQ(readable_text(parse_mail(
                  "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A \r\n\r\n--AB\r\ntext\r\n--A-- \r\nrest")),
              "--AB\ntext")
        << "a boundary that only begins like this one is text";
}

// Goal: nesting that never ends does not recurse without end.
TEST(Mime, DeepNestingIsCutOff) {
    std::string mail;
    for (int i = 0; i < 1000; ++i)
        mail += "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n";
    EXPECT_FALSE(readable_text(parse_mail(mail)).empty());
}

} // namespace
} // namespace flotilla::hub
