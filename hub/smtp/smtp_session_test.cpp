#include "hub/smtp/smtp_session.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::smtp_session_test {
namespace {

constexpr SmtpLimits kWithAuth{.authentication = true};

/// Feeds bytes, in pieces when asked, "stores" every mail, and returns all replies.
struct Dialogue {
    SmtpSession session;
    std::vector<IncomingMail> mails;
    bool closed = false;

    explicit Dialogue(SmtpLimits limits = {}) : session(limits) {}
    std::string operator()(std::string_view bytes, std::size_t piece = 1'000'000) {
        std::string replies;
        for (std::size_t at = 0; at < bytes.size() && !closed; at += piece) {
            session.feed(bytes.substr(at, piece));
            SmtpSession::Need need{};
            while ((need = session.advance(replies)) == SmtpSession::Need::store) {
                mails.push_back(session.mail());
                session.stored("id" + std::to_string(mails.size()), replies);
            }
            closed = need == SmtpSession::Need::close;
        }
        return replies;
    }
    /// The reply codes of single-line replies: "250 354".
    std::string codes(std::string_view bytes, std::size_t piece = 1'000'000) {
        std::string text;
        const std::string replies = (*this)(bytes, piece);
        for (std::size_t at = 0; at < replies.size(); at = replies.find("\r\n", at) + 2) {
            if (replies[at + 3] == '-') continue;
            text += (text.empty() ? "" : " ") + replies.substr(at, 3);
        }
        return text;
    }
};

constexpr std::string_view kStart = "EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n";

// Goal: a plain dialogue gives the replies of RFC 5321, and the mail as it was written.
TEST(SmtpSession, PlainDialogueDeliversTheMail) {
    Dialogue smtp;
    EXPECT_EQ(smtp("EHLO client.example\r\n"),
              "250-flotilla-hub\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
              "250 SMTPUTF8\r\n");
    EXPECT_EQ(smtp("MAIL FROM:<a@x> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n"), "250 2.1.0 OK\r\n");
    EXPECT_EQ(smtp("RCPT TO:<b@y>\r\n"), "250 2.1.5 OK\r\n");
    EXPECT_EQ(smtp("rcpt to: <c@z>\r\n"), "250 2.1.5 OK\r\n");
    EXPECT_EQ(smtp("DATA\r\n"), "354 End with a dot on a line of its own\r\n");
    EXPECT_EQ(smtp("Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"), "250 2.0.0 OK: kept as id1\r\n");
    EXPECT_EQ(smtp("QUIT\r\n"), "221 2.0.0 Bye\r\n");
    EXPECT_TRUE(smtp.closed);
    ASSERT_EQ(smtp.mails.size(), 1u);
    EXPECT_EQ(smtp.mails[0].sender, "a@x");
    EXPECT_EQ(smtp.mails[0].recipients, (std::vector<std::string>{"b@y", "c@z"}));
    EXPECT_EQ(smtp.mails[0].data, "Subject: x\r\n\r\nhello\r\n.dot\r\n");
}

// Goal: everything in one packet, or byte by byte, is the same dialogue.
TEST(SmtpSession, PipeliningCutAnywhereIsTheSame) {
    const std::string bytes =
        std::string(kStart) + "one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<d@y>\r\nDATA\r\n.\r\nNOOP\r\nQUIT\r\n";
    for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u}) {
        Dialogue smtp;
        EXPECT_EQ(smtp.codes(bytes, piece), "250 250 250 354 250 250 250 354 250 250 221") << piece;
        ASSERT_EQ(smtp.mails.size(), 2u);
        EXPECT_EQ(smtp.mails[0].data, "one\r\n");
        EXPECT_EQ(smtp.mails[1].sender, "");
        EXPECT_EQ(smtp.mails[1].data, "");
    }
}

// Goal: commands out of order or malformed are refused with the codes of RFC 5321, and harm nothing.
TEST(SmtpSession, WrongOrderAndSyntaxAreRefused) {
    Dialogue smtp;
    EXPECT_EQ(smtp.codes("MAIL FROM:<a@x>\r\nEHLO\r\nHELO me\r\nRCPT TO:<b@y>\r\nDATA\r\n"), "503 501 250 503 503");
    EXPECT_EQ(
        smtp.codes(
            "MAIL FROM:a@x\r\nMAIL TO:<a@x>\r\nMAIL FROM:<a b>\r\nMAIL FROM:<a@x> BOGUS\r\nMAIL FROM:<a@x> SIZE=x\r\n"),
        "501 501 501 555 555");
    EXPECT_EQ(smtp.codes("MAIL FROM:<a@x>\r\nMAIL FROM:<a@x>\r\nDATA\r\nRCPT TO:<>\r\nRCPT TO:<b@y> NOTIFY=NEVER\r\n"),
              "250 503 554 501 555");
    EXPECT_EQ(smtp.codes("RSET\r\nRCPT TO:<b@y>\r\nNOOP x\r\nVRFY b\r\nEXPN b\r\nSTARTTLS\r\nNONSENSE\r\n\r\n"),
              "250 503 250 252 502 502 500 500");
    EXPECT_EQ(smtp.codes("QUIT\r\n"), "221");
}

// Goal: a mail over the limit is refused, announced or not, and the session goes on.
TEST(SmtpSession, TooLargeMailIsRefusedAndTheSessionGoesOn) {
    Dialogue smtp({.message_bytes_max = 1000});
    EXPECT_EQ(smtp.codes("EHLO me\r\nMAIL FROM:<a@x> SIZE=1001\r\nMAIL FROM:<a@x> SIZE=99999999999999999999\r\n"),
              "250 552 552");
    EXPECT_EQ(smtp.codes("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n"), "250 250 354");
    std::string large;
    for (int i = 0; i < 100; ++i)
        large += "0123456789\r\n";
    EXPECT_EQ(smtp.codes(large + ".\r\nNOOP\r\n", 10), "552 250");
    EXPECT_TRUE(smtp.mails.empty());
    EXPECT_EQ(smtp.codes("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nsmall\r\n.\r\n"), "250 250 354 250");
    EXPECT_EQ(smtp.mails.size(), 1u);
}

// Goal: a line longer than a whole mail may be gets the verdict of any large mail, however it is cut.
TEST(SmtpSession, EndlessLineIsATooLargeMail) {
    for (const std::size_t piece : {1, 7, 100, 10'000}) {
        Dialogue smtp({.message_bytes_max = 100});
        EXPECT_EQ(smtp.codes(kStart), "250 250 250 354");
        EXPECT_EQ(smtp.codes(std::string(1000, 'x') + "\r\n.\r\nNOOP\r\n", piece), "552 250") << piece;
        EXPECT_TRUE(smtp.mails.empty());
    }
    Dialogue smuggling({.message_bytes_max = 100});
    EXPECT_EQ(smuggling.codes(kStart), "250 250 250 354");
    EXPECT_EQ(smuggling.codes(std::string(1000, 'x') + "\n.\r\nNOOP\r\n", 7), "521");
}

// Goal: no line end but CRLF is taken for one, so a second message cannot be smuggled in.
TEST(SmtpSession, BareLineEndsEndTheSession) {
    for (const std::string_view smuggled :
         {"x\n.\nMAIL FROM:<evil@x>\r\n", "x\r\n.\nMAIL FROM:<evil@x>\r\n", "x\n.\r\nMAIL FROM:<evil@x>\r\n",
          "x\r\n.\rMAIL FROM:<evil@x>\r\n", "x\r.\rMAIL\r\n"}) {
        Dialogue smtp;
        EXPECT_EQ(smtp.codes(std::string(kStart) + std::string(smuggled)), "250 250 250 354 521") << smuggled;
        EXPECT_TRUE(smtp.closed);
        EXPECT_TRUE(smtp.mails.empty());
    }
    Dialogue command;
    EXPECT_EQ(command.codes("EHLO me\nMAIL FROM:<a@x>\n"), "521");
    Dialogue carriage;
    EXPECT_EQ(carriage.codes("EHLO me\rNOOP\r\n"), "521");
}

// Goal: long lines, many recipients and endless mistakes have their bounds.
TEST(SmtpSession, BoundsAreKept) {
    Dialogue longest;
    EXPECT_EQ(longest.codes("NOOP " + std::string(5000, 'x')), "500");
    EXPECT_TRUE(longest.closed);
    Dialogue many({.recipients_max = 2});
    EXPECT_EQ(many.codes("EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<1@y>\r\nRCPT TO:<2@y>\r\nRCPT TO:<3@y>\r\n"),
              "250 250 250 250 452");
    Dialogue wrong({.errors_max = 2});
    EXPECT_EQ(wrong.codes("A\r\nB\r\nC\r\nD\r\n"), "500 500 500 421");
    EXPECT_TRUE(wrong.closed);
}

// Goal: recipients over the limit are put off, however many; the mail goes to the others.
TEST(SmtpSession, RecipientsOverTheLimitArePutOff) {
    Dialogue smtp({.recipients_max = 2, .errors_max = 1});
    EXPECT_EQ(smtp.codes("EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<1@y>\r\nRCPT TO:<2@y>\r\nRCPT TO:<3@y>\r\n"
                         "RCPT TO:<4@y>\r\nRCPT TO:<5@y>\r\nDATA\r\nhi\r\n.\r\n"),
              "250 250 250 250 452 452 452 354 250");
    ASSERT_EQ(smtp.mails.size(), 1u);
    EXPECT_EQ(smtp.mails[0].recipients, (std::vector<std::string>{"1@y", "2@y"}));
}

// Goal: the longest line is taken also when its CR comes before its LF, and one byte more is not.
TEST(SmtpSession, LongestLineIsTakenHoweverItIsCut) {
    for (const std::size_t extra : {0, 1}) {
        SmtpSession session({.line_bytes_max = 64});
        std::string replies;
        for (const char byte : "NOOP " + std::string(57 + extra, 'x') + "\r\n") {
            session.feed(std::string_view(&byte, 1));
            if (session.advance(replies) == SmtpSession::Need::close) break;
        }
        EXPECT_EQ(replies.substr(0, 3), extra == 0 ? "250" : "500");
    }
}

// Goal: AUTH PLAIN and LOGIN take any name and password, in one line or several (RFC 4954, 4616).
TEST(SmtpSession, AnyPasswordAuthenticates) {
    for (const std::string_view exchange :
         {"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n", "auth plain YXMAYWRhAA==\r\n", "AUTH PLAIN\r\nAGFkYQBzZWNyZXQ=\r\n",
          "AUTH LOGIN\r\nYWRh\r\nc2VjcmV0\r\n", "AUTH LOGIN YWRh\r\nc2VjcmV0\r\n", "AUTH LOGIN =\r\n\r\n"}) {
        Dialogue smtp(kWithAuth);
        EXPECT_NE(smtp("EHLO me\r\n").find("250-AUTH PLAIN LOGIN\r\n"), std::string::npos);
        EXPECT_TRUE(smtp.codes(exchange, 1).ends_with("235")) << exchange;
        EXPECT_EQ(smtp.codes("AUTH PLAIN AGFkYQBzZWNyZXQ=\r\nMAIL FROM:<a@x> AUTH=<>\r\n"), "503 250") << exchange;
    }
    Dialogue smtp(kWithAuth);
    smtp("EHLO me\r\n");
    EXPECT_EQ(smtp("AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
    EXPECT_EQ(smtp("YWRh\r\n"), "334 UGFzc3dvcmQ6\r\n");
    EXPECT_TRUE(smtp("\r\n").starts_with("235 2.7.0 "));
}

// Goal: what is no AUTH, or not now, is refused in words and leaves the session as it was.
TEST(SmtpSession, WrongAuthenticationIsRefused) {
    Dialogue smtp(kWithAuth);
    EXPECT_EQ(smtp.codes("AUTH PLAIN\r\nEHLO me\r\nAUTH\r\nAUTH CRAM-MD5\r\n"), "503 250 501 504");
    EXPECT_EQ(smtp.codes("AUTH PLAIN\r\n*\r\nNOOP\r\n"), "334 501 250") << "cancelled";
    EXPECT_EQ(smtp.codes("AUTH PLAIN !!!\r\nAUTH PLAIN YQ=\r\nAUTH PLAIN YWRh\r\nAUTH PLAIN =\r\n"), "501 501 501 501");
    EXPECT_EQ(smtp.codes("AUTH LOGIN\r\nYWRh\r\nnot base64\r\nNOOP\r\n"), "334 334 501 250");
    EXPECT_EQ(smtp.codes("MAIL FROM:<a@x>\r\nAUTH LOGIN\r\n"), "250 503");
    Dialogue remote;
    EXPECT_EQ(remote.codes("EHLO me\r\nMAIL FROM:<a@x> AUTH=<>\r\n"), "250 555");
    EXPECT_NE(remote("AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n").find("loopback only"), std::string::npos);
}

/// The recipient that RCPT TO:<path> is taken for; the reply's code when it is refused.
std::string recipient(const std::string& path) {
    Dialogue smtp;
    smtp("EHLO me\r\nMAIL FROM:<" + path + ">\r\nRSET\r\nMAIL FROM:<a@x>\r\n");
    const auto code = smtp.codes("RCPT TO:<" + path + ">\r\n");
    if (code != "250") return code;
    smtp("DATA\r\nx\r\n.\r\n");
    return smtp.mails.at(0).recipients.at(0);
}

// Goal: every path of RFC 5321 §4.1.2 is taken, and one address is spelled in one way; what is none is refused.
TEST(SmtpSession, PathsOfTheGrammarAreTaken) {
    EXPECT_EQ(recipient(R"("odd user"@example.com)"), R"("odd user"@example.com)");
    EXPECT_EQ(recipient(R"("ada"@example.com)"), "ada@example.com") << "quotes are no part of the address";
    EXPECT_EQ(recipient(R"("a\da\"b"@x)"), R"("ada\"b"@x)");
    EXPECT_EQ(recipient(R"("a>b@c,d:e;f"@x)"), R"("a>b@c,d:e;f"@x)");
    EXPECT_EQ(recipient(R"("a..b"@x)"), R"("a..b"@x)");
    EXPECT_EQ(recipient(R"(""@x)"), R"(""@x)");
    EXPECT_EQ(recipient("!#$%&'*+-/=?^_`{|}~.x@y"), "!#$%&'*+-/=?^_`{|}~.x@y");
    EXPECT_EQ(recipient("@a,@b.example:user@x"), "user@x") << "source routes are ignored";
    EXPECT_EQ(recipient("@[127.0.0.1]:user@x"), "user@x");
    EXPECT_EQ(recipient("user@[127.0.0.1]"), "user@[127.0.0.1]");
    EXPECT_EQ(recipient("user@[IPv6:2001:db8::1]"), "user@[IPv6:2001:db8::1]");
    EXPECT_EQ(recipient("Postmaster"), "Postmaster");
    EXPECT_EQ(recipient("jürgen@exämple.com"), "jürgen@exämple.com");
    for (const char* path : {"", "a b@x", R"("a@x)", R"("a"b@x)", R"(a"b"@x)", "a@", "@x", "@a,b:user@x", "@a user@x",
                             "a@[", "a@[]", "a@[1 2]", "a@b@c", "a<b@x", R"("a\)", "a,b@x"})
        EXPECT_EQ(recipient(path), "501") << path;
}

// Goal: an HTTP request or a TLS handshake, which a page in a browser can send here, ends the session at its first
// line, and no mail behind it is taken.
TEST(SmtpSession, OtherProtocolsEndTheSession) {
    const std::string mail = std::string(kStart) + "hi\r\n.\r\n";
    for (const std::string_view line : {"POST / HTTP/1.1\r\n", "get /x HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n",
                                        "Host: 127.0.0.1:2525\r\n", "Content-Type: text/plain\r\n", "DELETE /\r\n"}) {
        Dialogue smtp;
        EXPECT_EQ(smtp.codes(std::string(line) + mail, 7), "521") << line;
        EXPECT_TRUE(smtp.closed && smtp.mails.empty()) << line;
        EXPECT_EQ(smtp.session.foreign_protocol(), "HTTP") << line;
    }
    Dialogue later;
    EXPECT_EQ(later.codes("EHLO me\r\nHost: x\r\n" + mail), "250 521");
    Dialogue tls;
    EXPECT_EQ(tls.codes(std::string("\x16\x03\x01\x02\x00", 5)), "521") << "before its line has come";
    EXPECT_EQ(tls.session.foreign_protocol(), "TLS");
}

} // namespace
} // namespace flotilla::hub::smtp_session_test
