#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/stream.hpp>

namespace notification {

/// How a test's mail server behaves.
struct SmtpScript {
    std::string recipient_reply = "250 fine";
    std::string message_reply = "250 taken";
    std::string silent_at = {}; ///< "greeting", "message" or "QUIT": what it never answers
    bool hangs_up = false;      ///< closes the connection, without a word, once it has taken a message
};

/// A small SMTP server in a thread of its own. A message counts as received before it is answered.
class SmtpServer {
public:
    struct Received {
        std::string from, to, text;
        /// Of the Message-ID header, with angle brackets.
        std::string message_id() const {
            const auto at = text.find("Message-ID: ") + 12;
            return text.substr(at, text.find('\r', at) - at);
        }
    };

    explicit SmtpServer(SmtpScript script = {})
        : script_(std::move(script)), listener_(open()), thread_([this] { loop_.run_until_done(serve()); }) {}
    SmtpServer(const SmtpServer&) = delete;
    SmtpServer& operator=(const SmtpServer&) = delete;
    ~SmtpServer() {
        loop_.world().post([this] { stop_.cancel(flotilla::Error(flotilla::Kind::cancelled, "the test has ended")); });
        thread_.join();
    }

    std::string url() const { return "smtp://" + address_; }
    std::vector<Received> received() {
        const std::lock_guard lock(mutex_);
        return received_;
    }

    /// Connections there have been.
    int sessions() const { return sessions_; }
    /// The most at a time.
    int sessions_at_once() const { return most_; }

private:
    std::unique_ptr<flotilla::Listener> open() {
        auto listener = loop_.world().listen(flotilla::Address::tcp("127.0.0.1", 0));
        if (!listener) throw std::runtime_error(listener.error().message());
        address_ = (*listener)->local().to_string();
        return std::move(*listener);
    }

    flotilla::task<void> serve() {
        flotilla::Scope sessions(stop_);
        while (auto stream = co_await listener_->accept(stop_))
            sessions.spawn(talk(std::move(*stream)));
        listener_.reset();
        co_await sessions.join();
    }

    /// The next line without its CRLF; nullopt at the end.
    flotilla::task<std::optional<std::string>> line(flotilla::Stream& stream, std::string& buffer) {
        std::size_t end = 0;
        while ((end = buffer.find("\r\n")) == std::string::npos) {
            std::array<char, 4096> piece;
            const auto bytes = co_await stream.read(stop_, piece);
            if (!bytes || *bytes == 0) co_return std::nullopt;
            buffer.append(piece.data(), *bytes);
        }
        std::string text = buffer.substr(0, end);
        buffer.erase(0, end + 2);
        co_return text;
    }

    flotilla::task<void> say(flotilla::Stream& stream, std::string what, std::string reply) {
        if (what == script_.silent_at) co_return;
        reply += "\r\n";
        std::ignore = co_await stream.write(stop_, reply);
    }

    flotilla::task<void> talk(std::unique_ptr<flotilla::Stream> stream) {
        ++sessions_;
        most_ = std::max<int>(most_, ++open_);
        co_await converse(std::move(stream));
        --open_;
    }

    flotilla::task<void> converse(std::unique_ptr<flotilla::Stream> stream) {
        std::string buffer;
        Received mail;
        co_await say(*stream, "greeting", "220 test");
        while (auto command = co_await line(*stream, buffer)) {
            if (command->starts_with("MAIL FROM:")) mail.from = command->substr(10);
            if (command->starts_with("RCPT TO:")) {
                mail.to = command->substr(8);
                co_await say(*stream, "RCPT", script_.recipient_reply);
            } else if (*command == "DATA") {
                co_await say(*stream, "DATA", "354 go on");
                while (auto text = co_await line(*stream, buffer)) {
                    if (*text == ".") break;
                    mail.text += *text + "\r\n";
                }
                {
                    const std::lock_guard lock(mutex_);
                    received_.push_back(std::exchange(mail, {}));
                }
                co_await say(*stream, "message", script_.message_reply);
                if (script_.hangs_up) co_return;
            } else if (*command == "QUIT") {
                co_await say(*stream, "QUIT", "221 bye");
                if (script_.silent_at != "QUIT") co_return;
            } else {
                co_await say(*stream, "other", "250 fine");
            }
        }
    }

    const SmtpScript script_;
    flotilla::Loop loop_;
    flotilla::Context stop_{loop_.world()};
    std::string address_;
    std::unique_ptr<flotilla::Listener> listener_;
    std::mutex mutex_;
    std::vector<Received> received_;
    std::atomic<int> sessions_ = 0, open_ = 0, most_ = 0;
    std::thread thread_;
};

} // namespace notification
