#include "services/notification/notification.hpp"

#include <services/notification/migrations.hpp>

#include "services/notification/api/notification.hpp"
#include "services/notification/domain/mails.hpp"
#include "services/notification/mail/smtp_mailer.hpp"
#include "services/notification/storage/notifications.hpp"
#include "services/order/api/order.hpp"
#include "services/user/api/user.hpp"

namespace notification {
namespace {

struct Settings {
    std::string smtp = "smtp://127.0.0.1:2525";
    std::string mail_from = "shop@flotilla.example";
};

struct SendWelcome {
    std::string event_id, email, name;
};
struct SendOrderConfirmed {
    std::string event_id, user_id, order_id;
};

inline constexpr Job<SendWelcome> send_welcome{"send_welcome"};
inline constexpr Job<SendOrderConfirmed> send_order_confirmed{"send_order_confirmed"};

class Notifications {
public:
    Notifications(Database& database, Calls& calls, SmtpMailer& mailer, std::string from)
        : database_(database), calls_(calls), mailer_(mailer), from_(std::move(from)) {}

    // Listening: note what is to be sent, in the commit that takes the event.

    void welcome(Transaction& tx, const Received<user::UserCreated>& event) {
        const std::string id(event.id);
        if (note(tx, id, event->user_id, Template::welcome))
            enqueue(tx, send_welcome, {id, event->email, event->name}, {.key = id});
    }

    void order_confirmed(Transaction& tx, const Received<order::OrderConfirmed>& event) {
        const std::string id(event.id);
        if (note(tx, id, event->user_id, Template::order_confirmed))
            enqueue(tx, send_order_confirmed, {id, event->user_id, event->order_id}, {.key = id});
    }

    // Sending: afterwards, at least once. A crash between the server's 250 and our commit repeats the same Message-ID.

    task<Result<void>> deliver_welcome(Context& context, SendWelcome job) {
        co_return co_await deliver(context, job.event_id, welcome_mail(job.event_id, job.email, job.name));
    }

    task<Result<void>> deliver_order_confirmed(Context& context, SendOrderConfirmed job) {
        auto user = co_await must(calls_.call(context, user::get, {.id = job.user_id}));
        co_return co_await deliver(context, job.event_id,
                                   order_confirmed_mail(job.event_id, user.email, user.name, job.order_id));
    }

    task<Result<std::vector<Notification>>> list(Context& context, ListNotifications request) {
        return database_.select(context, storage::notifications_of, request.user_id);
    }

private:
    /// False when it was noted before: an event of a program that numbers none may come twice.
    static bool note(Transaction& tx, const std::string& event_id, const std::string& user_id, Template kind) {
        return tx.try_insert(storage::notifications,
                             {.id = event_id, .user_id = user_id, .kind = kind, .created_at = tx.now()});
    }

    task<Result<void>> deliver(Context& context, std::string event_id, Mail mail) {
        auto message = to_rfc5322(mail, from_, context.world().now());
        co_await must(mailer_.send(context, mail.to_address, std::move(message)));
        co_return co_await database_.transact(
            context, [=](Transaction& tx) { tx.execute(storage::set_state, event_id, State::sent, tx.now()); });
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
    auto& database = host.database(migrations, {storage::notifications, storage::set_state, storage::notifications_of});
    auto& notifications = host.own<Notifications>(database, host.calls({user::service}), mailer, settings.mail_from);
    host.on(user::created, &Notifications::welcome, notifications);
    host.on(order::confirmed, &Notifications::order_confirmed, notifications);
    host.perform(send_welcome, &Notifications::deliver_welcome, notifications);
    host.perform(send_order_confirmed, &Notifications::deliver_order_confirmed, notifications);
    host.serve(list, &Notifications::list, notifications);
}

} // namespace notification
