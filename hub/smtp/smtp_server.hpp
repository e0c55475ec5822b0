#pragma once

#include <memory>

#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/stream.hpp>
#include <flotilla/observe/telemetry.hpp>

#include "hub/smtp/mail_store.hpp"
#include "hub/suspicion_log.hpp"

namespace flotilla::hub {

struct SmtpServerOptions {
    std::size_t connections_max = 200;
    Duration idle_timeout = std::chrono::minutes(5); ///< RFC 5321 §4.5.3.2
    Duration write_timeout = std::chrono::seconds(60);
    Duration store_timeout = std::chrono::seconds(30);
    SmtpLimits limits = {}; ///< authentication is set by listen(): on loopback only
};

/// Catches mail: takes whatever comes over SMTP and keeps it in the store, durably before it answers 250.
/// Thread-safety: none; belongs to its loop.
class SmtpServer {
public:
    SmtpServer(World& world, MailStore& store, Telemetry& telemetry, SmtpServerOptions options = {});
    SmtpServer(const SmtpServer&) = delete;
    SmtpServer& operator=(const SmtpServer&) = delete;

    Result<Address> listen(const Address& address);
    /// Serves until the context is cancelled. Mails that are being stored then are stored, but not answered.
    task<void> run(Context& context);

private:
    task<void> serve(Context& context, std::unique_ptr<Stream> stream);
    task<bool> store(Context& context, SmtpSession& session, std::string& replies);
    task<bool> send(Context& context, Stream& stream, std::string replies);
    task<std::size_t> receive(Context& context, Stream& stream, std::span<char> buffer);
    task<void> refuse(Context& context, std::unique_ptr<Stream> stream);

    World& world_;
    MailStore& store_;
    const Logger& logger_;
    SuspicionLog suspicions_{world_, logger_};
    Counter& caught_;
    Counter& failed_;
    SmtpServerOptions options_;
    std::unique_ptr<Listener> listener_;
    std::size_t connections_ = 0;
};

} // namespace flotilla::hub
