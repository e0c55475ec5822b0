#include "hub/smtp/mime.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::mime_test {
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

// Goal: the character sets that mails come in are read, whatever their names' case, in fields and in bodies.
TEST(Mime, CharacterSetsBecomeUtf8) {
    EXPECT_EQ(decode_header("=?windows-1252?Q?=80_=93x=94_=DFx?="), "€ “x” ßx");
    EXPECT_EQ(decode_header("=?ISO-8859-15?Q?=A4=BD?="), "€œ");
    EXPECT_EQ(decode_header("=?koi8-r?B?8NLJ18XU?="), "Привет");
    EXPECT_EQ(decode_header("=?Shift_JIS?B?k/qWe4zqXA==?="), "日本語\\");
    EXPECT_EQ(decode_header("=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?="), "日本語");
    EXPECT_EQ(decode_header("=?gb2312?B?xOO6ww==?= =?big5?B?p0Gmbg==?="), "你好你好");
    EXPECT_EQ(decode_header("=?iso-8859-1?Q?=93x=94?="), "“x”") << "as every mail program reads it";
    EXPECT_EQ(decode_header("=?utf-8?Q?=C3?=\r\n =?utf-8?Q?=BC?="), "ü") << "words that are cut within a character";
    const auto text = [](std::string_view charset, std::string_view body) {
        return readable_text(parse_mail("Content-Type: text/plain; charset=\"" + std::string(charset) + "\"\r\n\r\n" +
                                        std::string(body)));
    };
    EXPECT_EQ(text("Windows-1252", "\x80 5\r\n"), "€ 5\n");
    EXPECT_EQ(text("iso-8859-15", "\xA4"), "€");
    EXPECT_EQ(text("KOI8-R", "\xF0\xD2\xC9\xD7\xC5\xD4"), "Привет");
    EXPECT_EQ(text("shift_jis", "\x93\xFA\x96\x7B"), "日本");
    EXPECT_EQ(text("utf-16le", std::string_view("a\0\xAC\x20", 4)), "a€");
}

// Goal: bytes that are not of their set, and sets that nobody knows, show what can be shown.
TEST(Mime, MalformedTextShowsWhatCanBeShown) {
    EXPECT_EQ(decode_header("caf\xE9"), "café") << "8-bit without a word: UTF-8, or else Windows-1252";
    EXPECT_EQ(decode_header("caf\xC3\xA9"), "café");
    EXPECT_EQ(decode_header("=?utf-8?Q?caf=E9?="), "café");
    EXPECT_EQ(decode_header("=?windows-1252?Q?a=81b?="), "a\uFFFDb");
    EXPECT_EQ(decode_header("=?shift_jis?Q?a=93?="), "a\uFFFD") << "cut off within a character";
    EXPECT_EQ(decode_header("=?utf-8//TRANSLIT?Q?x?="), "=?utf-8//TRANSLIT?Q?x?=");
    EXPECT_EQ(decode_header("=??Q?x?="), "=??Q?x?=");
    EXPECT_EQ(readable_text(parse_mail("Content-Type: text/plain; charset=klingon\r\n\r\nx\xE9\r\n")), "xé\n");
    EXPECT_EQ(readable_text(parse_mail("Content-Type: text/plain; charset=euc-jp\r\n\r\n\xFF\xA4\xA2\xA4")),
              "\uFFFDあ\uFFFD");
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
} // namespace flotilla::hub::mime_test
