#include "hub/smtp/smtp_server.hpp"

#include "hub/loopback.hpp"

namespace flotilla::hub {

namespace {
constexpr std::size_t kReadBytes = 16 * 1024;
} // namespace

SmtpServer::SmtpServer(World& world, MailStore& store, Telemetry& telemetry, SmtpServerOptions options)
    : world_(world), store_(store), logger_(telemetry.log),
      caught_(telemetry.metrics.counter("hub_mail_caught_total", "Mails answered with 250, repeats included.")),
      failed_(telemetry.metrics.counter("hub_mail_failed_total",
                                        "Mails that could not be kept and were answered with 452.")),
      options_(options) {}

Result<Address> SmtpServer::listen(const Address& address) {
    auto listener = world_.listen(address);
    if (!listener) return std::move(listener.error());
    listener_ = std::move(*listener);
    options_.limits.authentication = is_loopback(listener_->local());
    return listener_->local();
}

task<void> SmtpServer::run(Context& context) {
    Scope scope(context);
    for (;;) {
        auto stream = co_await listener_->accept(scope.context());
        if (!stream) break; // cancelled
        if (connections_ >= options_.connections_max) {
            scope.spawn(refuse(scope.context(), std::move(*stream)));
        } else {
            scope.spawn(serve(scope.context(), std::move(*stream)));
        }
    }
    listener_->close();
    co_await scope.join();
}

task<void> SmtpServer::refuse(Context& context, std::unique_ptr<Stream> stream) {
    // Whether it hears why or not, it is refused.
    (void)co_await send(context, *stream, "421 4.3.2 Too many connections\r\n");
    stream->close();
}

task<void> SmtpServer::serve(Context& context, std::unique_ptr<Stream> stream) {
    ++connections_;
    SmtpSession session(options_.limits);
    bool open = co_await send(context, *stream, std::string(SmtpSession::greeting()));
    std::vector<char> buffer(kReadBytes);
    while (open) {
        const std::size_t count = co_await receive(context, *stream, buffer);
        if (count == 0) break;
        session.feed(std::string_view(buffer.data(), count));
        std::string replies;
        auto need = session.advance(replies);
        while (need == SmtpSession::Need::store) {
            if (!co_await store(context, session, replies)) break;
            need = session.advance(replies);
        }
        open = co_await send(context, *stream, std::move(replies)) && need == SmtpSession::Need::bytes;
    }
    if (!session.foreign_protocol().empty()) {
        suspicions_.warn(
            "possible SECURITY ATTACK: a client of the mail catcher speaks another protocol, as a page in a "
            "browser can be made to do; its connection was closed and what followed was not read",
            {{"protocol", session.foreign_protocol()}, {"peer", stream->peer().to_string()}});
    }
    stream->close();
    --connections_;
}

/// Keeps the session's mail and writes the answer. False when the session shall end without one.
task<bool> SmtpServer::store(Context& context, SmtpSession& session, std::string& replies) {
    Context limited(context, options_.store_timeout);
    auto id = co_await store_.keep(limited, session.mail());
    if (id) {
        caught_.add();
        session.stored(*id, replies);
        co_return true;
    }
    if (context.cancelled()) co_return false;
    failed_.add();
    logger_.warning(context, "a mail could not be kept",
                    {{"error", id.error().message()}, {"from", session.mail().sender}});
    session.not_stored(replies);
    co_return true;
}

task<bool> SmtpServer::send(Context& context, Stream& stream, std::string replies) {
    if (replies.empty()) co_return true;
    Context limited(context, options_.write_timeout);
    auto written = co_await stream.write(limited, replies);
    co_return written.has_value();
}

/// How much has arrived; 0 when the session is over: closed, idle for too long, or shutting down.
task<std::size_t> SmtpServer::receive(Context& context, Stream& stream, std::span<char> buffer) {
    Context limited(context, options_.idle_timeout);
    auto count = co_await stream.read(limited, buffer);
    if (!count && !context.cancelled() && count.error().kind() == Kind::deadline_exceeded) {
        (void)co_await send(context, stream, "421 4.4.2 Idle for too long\r\n"); // it is closed in any case
    }
    co_return count.value_or(0);
}

} // namespace flotilla::hub
