#include "services/notification/notification.hpp"

#include <algorithm>
#include <charconv>

#include <services/notification/migrations.hpp>

#include "services/notification/api/notification.hpp"
#include "services/notification/domain/mails.hpp"
#include "services/notification/domain/preferences.hpp"
#include "services/notification/mail/smtp_mailer.hpp"
#include "services/notification/storage/notifications.hpp"
#include "services/order/api/order.hpp"
#include "services/shipping/api/shipping.hpp"
#include "services/user/api/user.hpp"

namespace notification {
namespace {

constexpr int kParkedShown = 100;
constexpr std::int64_t kTakenAtOnce = 100; ///< what a live stream holds in memory

struct Settings {
    std::string smtp = "smtp://127.0.0.1:2525";
    std::string mail_from = "shop@flotilla.example";
};

struct SendMail {
    std::string event_id;
    std::optional<std::string> email, name; ///< where the event says it, else the user service does
    std::optional<std::string> order_id;    ///< of a notification from before it had one
};
inline constexpr Job<SendMail> send_mail{"send_mail"};

/// The signal that a user is told something.
std::string news_of(const std::string& user_id) { return "notifications of " + user_id; }

/// Errors: invalid_event_id.
Result<std::int64_t> number_of(std::string_view event_id) {
    std::int64_t number = 0;
    const auto* end = event_id.data() + event_id.size();
    const auto [at, error] = std::from_chars(event_id.data(), end, number);
    if (error != std::errc() || at != end || number < 0) return invalid_event_id;
    return number;
}

class Notifications {
public:
    Notifications(Database& database, Calls& calls, SmtpMailer& mailer, std::string from)
        : database_(database), calls_(calls), mailer_(mailer), from_(std::move(from)) {}

    // Listening: note what is to be told, in the commit that takes the event.

    void welcome(Transaction& tx, const Received<user::UserCreated>& event) {
        const std::string id(event.id);
        note(tx, {.id = id, .user_id = event->user_id, .kind = Template::welcome},
             {.event_id = id, .email = event->email, .name = event->name});
    }
    void order_confirmed(Transaction& tx, const Received<order::OrderConfirmed>& event) {
        note(tx, Template::order_confirmed, event.id, event.event);
    }
    void order_cancelled(Transaction& tx, const Received<order::OrderCancelled>& event) {
        note(tx, Template::order_cancelled, event.id, event.event, event->reason);
    }
    void order_dispatched(Transaction& tx, const Received<shipping::ShipmentMoved>& event) {
        note(tx, Template::order_dispatched, event.id, event.event);
    }

    task<Result<Recorded<Notification>>> confirm(Context& context, ConfirmationOf request) {
        auto order = co_await must(calls_.call(context, order::get, {.id = request.id}),
                                   on(order::order_not_found, order_not_found));
        if (order.status != order::Status::confirmed) co_return order_not_confirmed;
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Notification> {
            note(tx, Template::order_confirmed, tx.new_id(), order::OrderConfirmed{order.id, order.user_id});
            return tx.find(storage::notification_about, order.id, Template::order_confirmed).value_or(Notification{});
        });
    }

    // Sending: afterwards, at least once. A crash between the server's 250 and our commit repeats the same Message-ID.

    task<Result<void>> deliver(Context& context, SendMail job) {
        auto what = co_await must(database_.find(context, storage::notifications, job.event_id),
                                  or_none(notification_not_found));
        if (!what.order_id) what.order_id = job.order_id;
        const auto mail = mail_about(what, co_await must(recipient(context, what.user_id, job)));
        auto message = to_rfc5322(mail, from_, context.world().now());
        co_await must(mailer_.send(context, mail.to_address, std::move(message)));
        co_return co_await database_.transact(context, [id = job.event_id](Transaction& tx) {
            tx.execute(storage::set_state, id, State::sent, tx.now());
        });
    }

    task<Result<std::vector<Parked>>> list_parked(Context& context, ListParked request) {
        const int limit = request.limit ? static_cast<int>(*request.limit) : kParkedShown;
        std::vector<Parked> parked;
        for (auto& job : co_await must(parked_jobs(context, database_, send_mail, limit)))
            parked.push_back({std::move(job.key), std::move(job.reason), job.attempts, job.parked_at});
        co_return parked;
    }

    task<Result<Notification>> redrive(Context& context, NotificationId request) {
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Notification> {
            auto found = tx.find(storage::notifications, request.id);
            if (!found) return notification_not_found;
            redrive_job(tx, send_mail, request.id);
            return std::move(*found);
        });
    }

    // Telling and asking.

    task<Result<std::vector<Notification>>> list(Context& context, ListNotifications request) {
        return database_.select(context, storage::notifications_of, request.user_id);
    }

    task<Result<void>> watch(Context& context, ListNotifications request, EventStream<Notification>& stream) {
        Event news;
        const auto listening = database_.on_signal(news_of(request.user_id), [&news] { news.notify(); });
        auto number = co_await must(begin_of(context, request.user_id, stream));
        while (true) {
            auto some = co_await must(
                database_.select(context, storage::notifications_after, request.user_id, number, kTakenAtOnce));
            for (const auto& each : some) {
                number = each.number.value_or(number);
                co_await must(stream.send(context, std::to_string(number), each));
            }
            if (std::ssize(some) < kTakenAtOnce) co_await must(stream.wait(context, news));
        }
    }

    task<Result<Preferences>> get_preferences(Context& context, PreferencesOf request) {
        auto kept = co_await must(database_.find(context, storage::preferences, request.user_id));
        co_return kept.value_or(Preferences{.user_id = request.user_id});
    }

    task<Result<Preferences>> set_preferences(Context& context, SetPreferences request) {
        const auto wanted = co_await must(chosen(request));
        co_await must(calls_.call(context, user::get, {.id = request.user_id}),
                      on(user::user_not_found, user_not_found));
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Preferences> {
            if (!tx.update(storage::preferences, wanted)) tx.insert(storage::preferences, wanted);
            return wanted;
        });
    }

private:
    /// What an order's event says.
    template <class OrderEvent>
    static void note(Transaction& tx, Template kind, std::string_view id, const OrderEvent& event,
                     std::optional<std::string> reason = {}) {
        note(tx,
             {.id = std::string(id),
              .user_id = event.user_id,
              .kind = kind,
              .order_id = event.order_id,
              .reason = std::move(reason)},
             {.event_id = std::string(id)});
    }

    /// Once: an event of a program that numbers none may come twice, and a confirmation may be asked for beside it.
    static void note(Transaction& tx, const Notification& what, const SendMail& mail) {
        const bool wanted = is_wanted(tx, what);
        const auto state = wanted ? State::queued : State::switched_off;
        if (tx.execute(storage::note, what.id, what.user_id, what.kind, state, tx.now(), what.order_id, what.reason) ==
            0)
            return;
        if (wanted) enqueue(tx, send_mail, mail, {.key = what.id});
        tx.signal(news_of(what.user_id));
    }
    static bool is_wanted(Transaction& tx, const Notification& what) {
        if (!may_be_switched_off(what.kind)) return true;
        const auto preferences = tx.find(storage::preferences, what.user_id);
        return !preferences || preferences->order_dispatched;
    }

    task<Result<Recipient>> recipient(Context& context, std::string user_id, SendMail job) {
        if (job.email) co_return Recipient{*job.email, job.name.value_or("")};
        auto user = co_await must(calls_.call(context, user::get, {.id = user_id}));
        co_return Recipient{std::move(user.email), std::move(user.name)};
    }

    /// The number that a stream begins behind: the client's, else the last one. The client is told where it stands when
    /// it does not know, or knows of what is not there any more.
    task<Result<std::int64_t>> begin_of(Context& context, std::string user_id, EventStream<Notification>& stream) {
        const auto last = (co_await must(database_.find(context, storage::last_number, user_id))).value_or(0);
        if (!stream.last_id().empty()) {
            const auto seen = co_await must(number_of(stream.last_id()));
            if (seen <= last) co_return seen;
        }
        co_await must(stream.stand_at(context, std::to_string(last)));
        co_return last;
    }

    Database& database_;
    Calls& calls_;
    SmtpMailer& mailer_;
    std::string from_;
};

} // namespace

void install(Host& host) {
    const auto settings = host.settings<Settings>();
    auto& mailer = host.own<SmtpMailer>(host.world(), settings.smtp, settings.mail_from);
    auto& database =
        host.database(migrations, {storage::notifications, storage::preferences, storage::note, storage::set_state,
                                   storage::notifications_of, storage::notifications_after, storage::last_number,
                                   storage::notification_about});
    auto& notifications =
        host.own<Notifications>(database, host.calls({user::service, order::service}), mailer, settings.mail_from);
    host.on(user::created, &Notifications::welcome, notifications);
    host.on(order::confirmed, &Notifications::order_confirmed, notifications);
    host.on(order::cancelled, &Notifications::order_cancelled, notifications);
    host.on(shipping::dispatched, &Notifications::order_dispatched, notifications);
    host.perform(send_mail, &Notifications::deliver, notifications);
    host.serve(list, &Notifications::list, notifications);
    host.serve(watch, &Notifications::watch, notifications);
    host.serve(list_parked, &Notifications::list_parked, notifications);
    host.serve(redrive, &Notifications::redrive, notifications);
    host.serve(confirm, &Notifications::confirm, notifications);
    host.serve(get_preferences, &Notifications::get_preferences, notifications);
    host.serve(set_preferences, &Notifications::set_preferences, notifications);
}

} // namespace notification
