#include "services/notification/mail/smtp_mailer.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <flotilla/aio/event.hpp>

#include "services/notification/mail/smtp_connection.hpp"

namespace notification {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kTimeoutMax = std::chrono::seconds(30);
/// Far more than jobs run at once.
constexpr std::size_t kWaitingMax = 4096;

/// It becomes part of an SMTP command: nothing in it may end that command.
bool is_safe_address(std::string_view address) {
    return !address.empty() && std::ranges::none_of(address, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '<' || c == '>';
    });
}

/// Shared by the waiting coroutine and the thread that sends.
struct Sending {
    std::string to, message;
    Clock::time_point deadline;
    std::atomic<bool> abandoned = false; ///< nobody waits any more
    // Only on the loop.
    std::optional<Result<void>> outcome;
    Event arrived;
};

/// Says so when the waiting coroutine ends, however it ends.
struct OnLeaving {
    std::shared_ptr<Sending> sending;
    ~OnLeaving() { sending->abandoned = true; }
};

} // namespace

/// The idle connections. Thread-safe.
struct SmtpMailer::Connections {
    Connections(std::string its_url, std::string its_from)
        : url(std::move(its_url)), from_address(std::move(its_from)) {}

    std::unique_ptr<SmtpConnection> take() {
        const std::lock_guard lock(mutex);
        if (idle.empty()) return nullptr;
        auto latest = std::move(idle.back().connection);
        idle.pop_back();
        return latest;
    }
    void give_back(std::unique_ptr<SmtpConnection> connection) {
        const std::lock_guard lock(mutex);
        idle.push_back({std::move(connection), Clock::now()});
    }
    void close_idle() {
        std::vector<Idle> closing; // outside the lock
        const std::lock_guard lock(mutex);
        const auto still =
            std::ranges::find_if(idle, [limit = Clock::now() - kIdle](const Idle& each) { return each.since > limit; });
        std::move(idle.begin(), still, std::back_inserter(closing));
        idle.erase(idle.begin(), still);
    }
    bool has_idle() {
        const std::lock_guard lock(mutex);
        return !idle.empty();
    }

    Result<void> send(const Sending& sending) {
        const auto left = sending.deadline - Clock::now();
        if (left <= Duration::zero()) return Error(Kind::deadline_exceeded, "no time left to send a mail");
        auto connection = take();
        if (!connection) connection = std::make_unique<SmtpConnection>(url, from_address);
        auto sent = connection->send(sending.to, sending.message, left, sending.abandoned);
        if (sent) give_back(std::move(connection));
        return sent;
    }

private:
    struct Idle {
        std::unique_ptr<SmtpConnection> connection;
        Clock::time_point since;
    };
    const std::string url, from_address;
    std::mutex mutex;
    std::vector<Idle> idle; ///< the latest at the end
};

SmtpMailer::SmtpMailer(World& world, std::string url, std::string from_address)
    : world_(world), connections_(std::make_shared<Connections>(std::move(url), std::move(from_address))),
      idle_timer_(
          world, [](void* self) { static_cast<SmtpMailer*>(self)->close_idle_later(); }, this),
      threads_(kConnectionsMax, kWaitingMax) {}

SmtpMailer::~SmtpMailer() = default;

void SmtpMailer::close_idle_later() {
    if (!connections_->has_idle()) return;
    // Full: then mails are being sent, and the next look finds what is idle.
    std::ignore = threads_.submit([connections = connections_] { connections->close_idle(); });
    idle_timer_.arm(world_.monotonic() + kIdle);
}

task<Result<void>> SmtpMailer::send(Context& context, std::string to_address, std::string message) {
    const auto timeout = std::min<Duration>(context.remaining(), kTimeoutMax);
    if (timeout <= Duration::zero()) co_return Error(Kind::deadline_exceeded, "no time left to send a mail");
    if (!is_safe_address(to_address)) co_return Error(Kind::invalid, "invalid_address", "not a mail address");
    auto sending = std::make_shared<Sending>();
    sending->to = std::move(to_address);
    sending->message = std::move(message);
    sending->deadline = Clock::now() + timeout;
    const OnLeaving on_leaving{sending};
    co_await must(threads_.submit([sending, connections = connections_, &world = world_] {
        if (sending->abandoned) return;
        auto outcome = connections->send(*sending);
        world.post([sending, outcome = std::move(outcome)]() mutable {
            sending->outcome = std::move(outcome);
            sending->arrived.notify();
        });
    }));
    while (!sending->outcome)
        co_await must(sending->arrived.wait(context));
    if (!idle_timer_.armed()) idle_timer_.arm(world_.monotonic() + kIdle);
    co_return std::move(*sending->outcome);
}

} // namespace notification
