#include "services/notification/mail/smtp_mailer.hpp"

#include <gtest/gtest.h>

#include "services/notification/tests/smtp_server.hpp"

namespace notification::smtp_mailer_test {
namespace {

using namespace flotilla;
using namespace std::chrono_literals;

constexpr const char* kMessage = "Subject: x\r\n\r\nfirst\r\n.second\r\n";

/// One mail to ada@example.com, within `timeout`.
Result<void> send(const std::string& url, Duration timeout = 10s, const std::string& to = "ada@example.com") {
    Loop loop;
    Context root(loop.world());
    Context bounded(root, timeout);
    SmtpMailer mailer(loop.world(), url, "shop@example.com");
    return loop.run_until_done(mailer.send(bounded, to, kMessage));
}

Kind kind_of(const Result<void>& result) { return result ? Kind::internal : result.error().kind(); }

// Goal: envelope and text arrive as they were given.
TEST(SmtpMailer, MailArrivesWhole) {
    SmtpServer server;
    const auto sent = send(server.url());
    ASSERT_TRUE(sent) << sent.error().message();
    const auto mails = server.received();
    ASSERT_EQ(mails.size(), 1U);
    EXPECT_EQ(mails[0].from, "<shop@example.com>");
    EXPECT_EQ(mails[0].to, "<ada@example.com>");
    EXPECT_EQ(mails[0].text, "Subject: x\r\n\r\nfirst\r\n..second\r\n"); // dots are doubled on the way, RFC 5321 4.5.2
}

// Goal: "not now" is worth another try, "never" is not, wherever in the conversation it is said.
TEST(SmtpMailer, RepliesDecideWhetherToTryAgain) {
    EXPECT_EQ(kind_of(send(SmtpServer({.recipient_reply = "450 mailbox busy"}).url())), Kind::unavailable);
    EXPECT_EQ(kind_of(send(SmtpServer({.recipient_reply = "550 no such mailbox"}).url())), Kind::invalid);
    EXPECT_EQ(kind_of(send(SmtpServer({.message_reply = "451 disk full"}).url())), Kind::unavailable);
    const auto refused = send(SmtpServer({.message_reply = "554 looks like spam"}).url());
    EXPECT_EQ(kind_of(refused), Kind::invalid);
    EXPECT_TRUE(refused.error().message().contains("554")) << refused.error().message();
}

// Goal: without a server the mail can wait, and the error says which server.
TEST(SmtpMailer, NoServerIsUnavailable) {
    const auto failed = send("smtp://127.0.0.1:1");
    EXPECT_EQ(kind_of(failed), Kind::unavailable);
    EXPECT_TRUE(failed.error().message().contains("127.0.0.1:1")) << failed.error().message();
}

// Goal: a server that says nothing costs the deadline, and its thread does not outlive it for long.
TEST(SmtpMailer, SilentServerCostsTheDeadline) {
    for (const char* point : {"greeting", "message"}) {
        SmtpServer server({.silent_at = point});
        const auto begin = std::chrono::steady_clock::now();
        const auto failed = send(server.url(), 100ms);
        EXPECT_TRUE(kind_of(failed) == Kind::deadline_exceeded || kind_of(failed) == Kind::unavailable) << point;
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << point;
    }
}

// Goal: when nobody waits any more (shutdown), sending ends long before its own timeout.
TEST(SmtpMailer, CancelledSendEndsSoon) {
    SmtpServer server({.silent_at = "greeting"});
    const auto begin = std::chrono::steady_clock::now();
    {
        Loop loop;
        Context root(loop.world());
        Context bounded(root, Duration(100ms));
        Context sending(root, Duration(30s));
        SmtpMailer mailer(loop.world(), server.url(), "shop@example.com");
        const auto cancel_soon = [](Context& soon, Context& target) -> task<void> {
            std::ignore = co_await sleep_for(soon, 10s); // ends with its deadline
            target.cancel(Error(Kind::unavailable, "shutting down"));
        };
        Scope scope(root);
        scope.spawn(cancel_soon(bounded, sending));
        EXPECT_EQ(kind_of(loop.run_until_done(mailer.send(sending, "ada@example.com", kMessage))), Kind::unavailable);
        loop.run_until_done(scope.join());
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

// Goal: a taken mail is sent, even when the server never says goodbye.
TEST(SmtpMailer, MissingFarewellDoesNotMatter) {
    SmtpServer server({.silent_at = "QUIT"});
    EXPECT_TRUE(send(server.url(), 3s));
    EXPECT_EQ(server.received().size(), 1U);
}

// Goal: an address cannot smuggle another command into the conversation.
TEST(SmtpMailer, HostileAddressIsRefused) {
    SmtpServer server;
    for (const char* address : {"", "a@b.c>\r\nRCPT TO:<all@b.c", "a b@c.d", "<a@b.c>", "a@b.c\n"})
        EXPECT_EQ(kind_of(send(server.url(), 10s, address)), Kind::invalid) << address;
    EXPECT_TRUE(server.received().empty());
}

/// That many mails through one mailer, `at_once` under way at a time; how many were taken.
int send_many(const std::string& url, int mails, int at_once) {
    Loop loop;
    Context root(loop.world());
    SmtpMailer mailer(loop.world(), url, "shop@example.com");
    int taken = 0;
    const auto send_some = [](Context& context, SmtpMailer& by, int count, int& sent) -> task<void> {
        for (int i = 0; i < count; ++i) {
            const auto outcome = co_await by.send(context, "ada@example.com", kMessage);
            EXPECT_TRUE(outcome) << outcome.error().message();
            sent += outcome ? 1 : 0;
        }
    };
    Scope scope(root);
    for (int i = 0; i < at_once; ++i)
        scope.spawn(send_some(scope.context(), mailer, mails / at_once, taken));
    loop.run_until_done(scope.join());
    return taken;
}

// Goal: a connection serves one mail after the other.
TEST(SmtpMailer, MailsShareAConnection) {
    SmtpServer server;
    EXPECT_EQ(send_many(server.url(), 10, 1), 10);
    EXPECT_EQ(server.received().size(), 10U);
    EXPECT_EQ(server.sessions(), 1);
}

// Goal: many mails at once take no more connections than a mail server grants.
TEST(SmtpMailer, ManyMailsKeepTheNumberOfConnections) {
    SmtpServer server;
    EXPECT_EQ(send_many(server.url(), 200, 50), 200);
    EXPECT_EQ(server.received().size(), 200U);
    EXPECT_LE(server.sessions_at_once(), static_cast<int>(SmtpMailer::kConnectionsMax));
}

// Goal: a server that hangs up between two mails costs none of them a try.
TEST(SmtpMailer, ServerThatHangsUpIsConnectedAgain) {
    SmtpServer server({.hangs_up = true});
    EXPECT_EQ(send_many(server.url(), 20, 2), 20);
    EXPECT_EQ(server.received().size(), 20U);
}

// Goal: a mail that is refused does not touch the ones beside it.
TEST(SmtpMailer, RefusedMailLeavesTheOthers) {
    SmtpServer server({.recipient_reply = "550 no such mailbox"});
    Loop loop;
    Context root(loop.world());
    SmtpMailer mailer(loop.world(), server.url(), "shop@example.com");
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(kind_of(loop.run_until_done(mailer.send(root, "ada@example.com", kMessage))), Kind::invalid);
    EXPECT_TRUE(server.received().empty());
}

} // namespace
} // namespace notification::smtp_mailer_test
