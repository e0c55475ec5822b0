#include "hub/smtp/smtp_server.hpp"

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>

#include "hub/testing/socket_client.hpp"
#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub::smtp_server_test {
namespace {

/// The catcher on a free port, on a loop and thread of its own.
class Catcher {
public:
    explicit Catcher(SmtpServerOptions options = {}, MailStoreLimits limits = {}) : options_(options), limits_(limits) {
        auto port = ready_.get_future();
        thread_ = std::thread([this] { loop_.run_until_done(serve()); });
        port_ = port.get();
    }
    ~Catcher() {
        loop_.world().post([this] { context_->cancel(Error(Kind::cancelled, "the test is over")); });
        thread_.join();
    }
    SocketClient connect() const {
        SocketClient client = SocketClient::tcp(port_);
        client.line();
        return client;
    }
    SocketClient dial() const { return SocketClient::tcp(port_); }

private:
    task<void> serve() {
        Context context(loop_.world());
        context_ = &context;
        auto store = co_await MailStore::open(context, folder_.path().string(), limits_);
        SmtpServer server(loop_.world(), **store, telemetry_, options_);
        ready_.set_value(server.listen(Address::tcp("127.0.0.1", 0))->port);
        co_await server.run(context);
    }
    SmtpServerOptions options_;
    MailStoreLimits limits_;
    TemporaryFolder folder_;
    Telemetry telemetry_{Logger("test", LogLevel::error, Logger::Format::json, [](std::string_view) {})};
    Loop loop_;
    Context* context_ = nullptr;
    std::promise<std::uint16_t> ready_;
    std::thread thread_;
    std::uint16_t port_ = 0;
};

/// Sends one mail on an open session; the answer to its end.
std::string deliver(SocketClient& client, const std::string& content) {
    client.send("EHLO t\r\n");
    while (client.line().substr(3, 1) == "-") {
    }
    client.send("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n" + content + "\r\n.\r\n");
    std::string codes;
    for (int i = 0; i < 4; ++i)
        codes += (i > 0 ? " " : "") + client.line().substr(0, 3);
    return codes;
}

// Goal: a full catcher answers 452, so that senders keep the mail; a repeat of a kept one is still accepted.
TEST(SmtpServer, FullCatcherRefusesForNow) {
    const Catcher catcher({}, {.messages_max = 1});
    SocketClient client = catcher.connect();
    EXPECT_EQ(deliver(client, "Message-ID: <1@x>\r\n\r\none"), "250 250 354 250");
    EXPECT_EQ(deliver(client, "Message-ID: <2@x>\r\n\r\ntwo"), "250 250 354 452");
    EXPECT_EQ(deliver(client, "Message-ID: <1@x>\r\n\r\none"), "250 250 354 250");
}

// Goal: connections over the limit hear why they are refused; a place that gets free can be used.
TEST(SmtpServer, ConnectionsOverTheLimitAreRefused) {
    const Catcher catcher({.connections_max = 1});
    {
        SocketClient first = catcher.connect();
        EXPECT_EQ(catcher.dial().receive_all(), "421 4.3.2 Too many connections\r\n");
        first.send("QUIT\r\n");
        EXPECT_EQ(first.receive_all(), "221 2.0.0 Bye\r\n");
    }
    EXPECT_EQ(catcher.dial().line(), "220 flotilla-hub ESMTP mail catcher\r\n");
}

// Goal: a session that says nothing is ended with 421.
TEST(SmtpServer, SilentSessionIsEnded) {
    const Catcher catcher({.idle_timeout = std::chrono::milliseconds(20)});
    SocketClient client = catcher.connect();
    EXPECT_EQ(client.receive_all(), "421 4.4.2 Idle for too long\r\n");
}

// Goal: AUTH is offered on loopback, where any password does.
TEST(SmtpServer, AuthenticationIsOfferedOnLoopback) {
    const Catcher catcher;
    SocketClient client = catcher.connect();
    client.send("EHLO t\r\nAUTH PLAIN AGFkYQBzZWNyZXQ=\r\nQUIT\r\n");
    const std::string replies = client.receive_all();
    EXPECT_NE(replies.find("250-AUTH PLAIN LOGIN\r\n"), std::string::npos) << replies;
    EXPECT_NE(replies.find("\r\n235 2.7.0 "), std::string::npos) << replies;
}

// Goal: many sessions at once each get their mails kept.
TEST(SmtpServer, ConcurrentSessionsAreAllKept) {
    const Catcher catcher;
    std::vector<std::thread> senders;
    std::atomic<int> kept = 0;
    for (int i = 0; i < 8; ++i) {
        senders.emplace_back([&, i] {
            SocketClient client = catcher.connect();
            for (int n = 0; n < 10; ++n) {
                const std::string id = std::to_string(i) + "-" + std::to_string(n);
                kept += deliver(client, "Message-ID: <" + id + "@x>\r\n\r\nhi") == "250 250 354 250" ? 1 : 0;
            }
        });
    }
    for (std::thread& sender : senders)
        sender.join();
    EXPECT_EQ(kept, 80);
}

} // namespace
} // namespace flotilla::hub::smtp_server_test
