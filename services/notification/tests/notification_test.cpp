#include "services/notification/notification.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <flotilla/base/json_value.hpp>
#include <flotilla/bus/memory/memory_bus.hpp>
#include <flotilla/http/test_wire.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/notification/api/notification.hpp"
#include "services/notification/tests/smtp_server.hpp"
#include "services/order/api/order.hpp"
#include "services/shipping/api/shipping.hpp"
#include "services/user/api/user.hpp"

namespace notification::notification_test {
namespace {

using namespace flotilla;

std::vector<Fake> users() {
    return {fake(user::get, [](user::UserId id) -> Result<user::User> {
        return user::User{.id = id.id, .email = "ada@example.com", .name = "Ada"};
    })};
}

/// The shop as it was: orders o-1 (confirmed) and o-2 (pending), and whoever places one.
std::vector<Fake> shop() {
    auto fakes = users();
    fakes.push_back(fake(order::get, [](order::OrderId id) -> Result<order::Order> {
        if (id.id == "o-1") return order::Order{.id = "o-1", .user_id = "u-1", .status = order::Status::confirmed};
        if (id.id == "o-2") return order::Order{.id = "o-2", .user_id = "u-1"};
        return order::order_not_found;
    }));
    return fakes;
}

std::string state_of(TestService& notifications, std::string_view user) {
    const auto listed = notifications.get("/notifications?userId=" + std::string(user)).json().as_array();
    return listed.empty() ? "" : std::string(listed[0].at("state").as_string());
}

// Goal: an event becomes one mail to the right person, and the list says it was sent.
TEST(NotificationSend, EventBecomesAMail) {
    SmtpServer server;
    TestService notifications{install, {.fakes = users(), .settings = {{"smtp", server.url()}}}};
    notifications.deliver(order::confirmed, {.order_id = "o-1", .user_id = "u-1"}, "event-1");
    ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-1") == "SENT"; }));
    const auto mails = server.received();
    ASSERT_EQ(mails.size(), 1U);
    EXPECT_EQ(mails[0].to, "<ada@example.com>");
    EXPECT_EQ(mails[0].message_id(), "<event-1@notification.flotilla>");
    EXPECT_TRUE(mails[0].text.contains("Subject: Your order o-1 is confirmed\r\n")) << mails[0].text;
}

/// The folder as a crash at this moment would leave it.
std::string crash_copy(const TestService& service) {
    const auto copy = service.data() + "-crashed";
    std::filesystem::create_directories(copy);
    for (const auto& entry : std::filesystem::directory_iterator(service.data())) {
        const auto name = entry.path().filename().string();
        if (name.ends_with(".db") || name.ends_with("-wal")) std::filesystem::copy_file(entry, copy + "/" + name);
    }
    return copy;
}

// Goal: a crash after the server took the mail and before that was noted repeats the mail under the same Message-ID.
TEST(NotificationSend, CrashBeforeTheCommitRepeatsTheSameMessage) {
    SmtpServer taking({.silent_at = "message"}); // its 250 never arrives
    std::string crashed;
    {
        TestService notifications{install, {.fakes = users(), .settings = {{"smtp", taking.url()}}}};
        notifications.deliver(user::created, {.user_id = "u-1", .email = "ada@example.com", .name = "Ada"}, "event-1");
        ASSERT_TRUE(eventually([&] { return taking.received().size() == 1; }));
        EXPECT_EQ(state_of(notifications, "u-1"), "QUEUED");
        crashed = crash_copy(notifications);
    }
    SmtpServer server;
    {
        TestService notifications{install, {.fakes = users(), .settings = {{"smtp", server.url()}}, .data = crashed}};
        ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-1") == "SENT"; }));
        ASSERT_EQ(server.received().size(), 1U);
        EXPECT_EQ(server.received()[0].message_id(), taking.received()[0].message_id());
    }
    std::filesystem::remove_all(crashed);
}

// Goal: without a mail server a notification waits, and the instance says so while it serves.
TEST(NotificationSend, WithoutServerItQueuesAndSaysSo) {
    // Port 1 on loopback: nobody listens there.
    TestService notifications{install, {.fakes = users(), .settings = {{"smtp", "smtp://127.0.0.1:1"}}}};
    notifications.deliver(user::created, {.user_id = "u-1", .email = "ada@example.com", .name = "Ada"}, "event-1");
    ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-1") == "QUEUED"; }));
    ASSERT_TRUE(eventually([&] { return notifications.get("/readyz").json().at("status") == "degraded"; }));
    const auto ready = notifications.get("/readyz");
    EXPECT_EQ(ready.status, 200);
    EXPECT_TRUE(ready.json().at("checks").at("jobs").at("detail").as_string().find("127.0.0.1:1") != std::string::npos)
        << ready.body;
}

// Goal: the same event, delivered twice, is noted once.
TEST(NotificationSend, RepeatedEventIsNotedOnce) {
    TestService notifications{install, {.fakes = users(), .settings = {{"smtp", "smtp://127.0.0.1:1"}}}};
    notifications.deliver(order::confirmed, {.order_id = "o-1", .user_id = "u-1"}, "event-1", "orders-a");
    ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-1") == "QUEUED"; }));
    notifications.deliver(order::confirmed, {.order_id = "o-2", .user_id = "u-2"}, "event-2", "orders-a");
    ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-2") == "QUEUED"; }));
    EXPECT_EQ(notifications.get("/notifications?userId=u-1").json().as_array().size(), 1U);
}

// Goal: a program that only publishes on the channel, as the requirements' services do, is heard: one mail for each.
TEST(NotificationSend, PubSubEventBecomesAMail) {
    SmtpServer server;
    TestService notifications{
        install, {.fakes = users(), .settings = {{"smtp", server.url()}}, .bus = "memory:notification-pubsub"}};
    const auto publish = [](std::string_view topic, std::string_view payload) {
        return publish_on_memory_channel("notification-pubsub", std::string(topic), payload) == 1;
    };
    ASSERT_TRUE(eventually(
        [&] { return publish(user::created.name, R"({"userId":"u-7","email":"grace@example.com","name":"Grace"})"); }));
    ASSERT_TRUE(eventually([&] { return publish(order::confirmed.name, R"({"orderId":"o-7","userId":"u-1"})"); }));
    ASSERT_TRUE(eventually([&] { return server.received().size() == 2; }));
    ASSERT_TRUE(publish(user::created.name, R"({"userId":"u-8"})")); // no contract: nobody is written to
    ASSERT_TRUE(eventually([&] {
        return notifications.get("/metrics")
            .body.contains(R"(flotilla_pubsub_parked_total{consumer="service-under-test",topic="user.created"} 1)");
    }));
    ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-7") == "SENT"; }));
    const auto mails = server.received();
    EXPECT_EQ(mails.size(), 2U);
    EXPECT_TRUE(std::ranges::any_of(mails, [](const auto& mail) { return mail.to == "<grace@example.com>"; }));
    EXPECT_NE(mails[0].message_id(), mails[1].message_id());
}

// Goal: an event of a program that numbers none may come twice and is noted once.
TEST(NotificationSend, RepeatedForeignEventIsNotedOnce) {
    TestService notifications{install, {.fakes = users(), .settings = {{"smtp", "smtp://127.0.0.1:1"}}}};
    for (const auto* producer : {"a", "b"}) // two producers, each with its first sequence: no inbox can tell
        notifications.deliver(order::confirmed, {.order_id = "o-1", .user_id = "u-1"}, "event-1", producer);
    notifications.deliver(order::confirmed, {.order_id = "o-2", .user_id = "u-2"}, "event-2", "b");
    ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-2") == "QUEUED"; }));
    EXPECT_EQ(notifications.get("/notifications?userId=u-1").json().as_array().size(), 1U);
    EXPECT_FALSE(
        notifications.get("/metrics")
            .body.contains(R"(flotilla_inbox_parked_total{consumer="service-under-test",topic="order.confirmed"} 1)"));
}

// Goal: what becomes of an order is told in words, and why.
TEST(NotificationSend, OrderEventsBecomeTheirMails) {
    SmtpServer server;
    TestService notifications{install, {.fakes = users(), .settings = {{"smtp", server.url()}}}};
    notifications.deliver(order::cancelled, {.order_id = "o-1", .user_id = "u-1", .reason = "out of stock"}, "event-1");
    ASSERT_TRUE(eventually([&] { return !state_of(notifications, "u-1").empty(); }));
    notifications.deliver(shipping::dispatched, {.order_id = "o-2", .user_id = "u-1"}, "event-2");
    ASSERT_TRUE(eventually([&] { return server.received().size() == 2; }));
    for (const auto& mail : server.received()) {
        const bool first = mail.message_id() == "<event-1@notification.flotilla>";
        EXPECT_TRUE(mail.text.contains(first ? "Subject: Your order o-1 was cancelled\r\n"
                                             : "Subject: Your order o-2 is on its way\r\n"))
            << mail.text;
    }
    const auto told = notifications.get("/notifications?userId=u-1").json();
    EXPECT_EQ(told.at(0).at("reason"), "out of stock");
    EXPECT_EQ(told.at(0).at("orderId"), "o-1");
}

// Goal: a confirmation is one mail however often it is asked for, before, beside or after the order's event.
TEST(NotificationConfirm, AskedForAndHeardIsOneMail) {
    SmtpServer server;
    TestService notifications{install, {.fakes = shop(), .settings = {{"smtp", server.url()}}}};
    const auto first = notifications.send("POST", "/orders/o-1/confirmation", "", {});
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.json().at("kind"), "ORDER_CONFIRMED");
    notifications.deliver(order::confirmed, {.order_id = "o-1", .user_id = "u-1"}, "event-1");
    const auto again = notifications.send("POST", "/orders/o-1/confirmation", "", {});
    EXPECT_EQ(again.json().at("id"), first.json().at("id"));
    notifications.deliver(order::confirmed, {.order_id = "o-3", .user_id = "u-3"}, "event-3"); // in order behind it
    ASSERT_TRUE(eventually([&] { return server.received().size() == 2; }));
    EXPECT_EQ(notifications.get("/notifications?userId=u-1").json().as_array().size(), 1U);
}

// Goal: nothing is confirmed that is not.
TEST(NotificationConfirm, OnlyConfirmedOrders) {
    TestService notifications{install, {.fakes = shop(), .settings = {{"smtp", "smtp://127.0.0.1:1"}}}};
    const auto pending = notifications.send("POST", "/orders/o-2/confirmation", "", {});
    EXPECT_EQ(pending.status, 409);
    EXPECT_EQ(pending.json().at("code"), "order_not_confirmed");
    EXPECT_EQ(notifications.send("POST", "/orders/o-9/confirmation", "", {}).status, 404);
    EXPECT_EQ(notifications.get("/notifications?userId=u-1").body, "[]");
}

// Goal: a user gets no mails of the kind that was switched off, and the list says so; the contract's cannot be.
TEST(NotificationPreferences, SwitchedOffIsNotSent) {
    SmtpServer server;
    TestService notifications{install, {.fakes = users(), .settings = {{"smtp", server.url()}}}};
    const auto put = [&](const char* body) {
        const TestHeader json{"content-type", "application/json"};
        return notifications.send("PUT", "/preferences/u-1", body, {&json, 1});
    };
    EXPECT_EQ(notifications.get("/preferences/u-1").json().at("orderDispatched"), true);
    const auto refused = put(R"({"orderConfirmed":false})");
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(refused.json().at("code"), "mandatory_mail");
    ASSERT_EQ(put(R"({"orderDispatched":false})").status, 200);
    EXPECT_EQ(notifications.get("/preferences/u-1").json().at("orderDispatched"), false);

    notifications.deliver(shipping::dispatched, {.order_id = "o-1", .user_id = "u-1"}, "event-1");
    ASSERT_TRUE(eventually([&] { return state_of(notifications, "u-1") == "SWITCHED_OFF"; }));
    ASSERT_EQ(put("{}").status, 200);
    notifications.deliver(shipping::dispatched, {.order_id = "o-2", .user_id = "u-1"}, "event-2");
    ASSERT_TRUE(eventually([&] { return server.received().size() == 1; }));
    EXPECT_EQ(server.received()[0].message_id(), "<event-2@notification.flotilla>");
}

/// Leaves the job one try.
Result<void> last_try(Transaction& tx) {
    auto changed = tx.execute("UPDATE flotilla_jobs SET failures = 9, due_at = 0 WHERE state = 'queued'");
    if (!changed) return std::move(changed.error());
    return {};
}

// Goal: a mail that the server refuses for good is given up visibly, and sent when it is tried again.
TEST(NotificationParked, RefusedMailIsListedAndRedriven) {
    const auto folder = std::filesystem::temp_directory_path() / ("flotilla-mails-" + std::to_string(::getpid()));
    const auto start = [&](const std::string& smtp, std::function<Result<void>(Transaction&)> seed = {}) {
        return std::make_unique<TestService>(install, TestOptions{.seed = std::move(seed),
                                                                  .fakes = users(),
                                                                  .settings = {{"smtp", smtp}},
                                                                  .data = folder.string()});
    };
    {
        auto notifications = start("smtp://127.0.0.1:1");
        notifications->deliver(order::confirmed, {.order_id = "o-1", .user_id = "u-1"}, "event-1");
        ASSERT_TRUE(eventually([&] { return state_of(*notifications, "u-1") == "QUEUED"; }));
    }
    {
        SmtpServer refusing({.recipient_reply = "550 no such mailbox"});
        auto notifications = start(refusing.url(), last_try);
        ASSERT_TRUE(
            eventually([&] { return notifications->get("/notifications/parked").json().as_array().size() == 1; }));
        const auto parked = notifications->get("/notifications/parked").json().at(0);
        EXPECT_EQ(parked.at("id"), "event-1");
        EXPECT_TRUE(std::string(parked.at("reason").as_string()).contains("reply 550"))
            << parked.at("reason").as_string();
        EXPECT_EQ(notifications->send("POST", "/notifications/none/redrive", "", {}).status, 404);
    }
    SmtpServer server;
    {
        auto notifications = start(server.url());
        EXPECT_EQ(notifications->send("POST", "/notifications/event-1/redrive", "", {}).status, 200);
        ASSERT_TRUE(eventually([&] { return state_of(*notifications, "u-1") == "SENT"; }));
        EXPECT_EQ(notifications->get("/notifications/parked").body, "[]");
        EXPECT_EQ(server.received().size(), 1U);
        EXPECT_EQ(notifications->send("POST", "/notifications/event-1/redrive", "", {}).status, 200);
        EXPECT_EQ(server.received().size(), 1U) << "what was sent is not sent again";
    }
    std::filesystem::remove_all(folder);
}

/// Reads a stream of events as a browser does, on a loop of its own.
class Follower {
public:
    Follower(const Address& address, const std::string& user, const std::string& last_id = "") {
        wire_ = loop_.run_until_done(http::Wire::connect(context_, address));
        const auto id = last_id.empty() ? "" : "Last-Event-ID: " + last_id + "\r\n";
        loop_.run_until_done(
            wire_->say("GET /notifications/stream?userId=" + user + " HTTP/1.1\r\nHost: a\r\n" + id + "\r\n"));
    }
    /// Up to the next event's end, the head included at first.
    std::string next() { return loop_.run_until_done(wire_->until("\n\n")); }
    std::string head() { return loop_.run_until_done(wire_->until("\r\n\r\n")); }

private:
    Loop loop_;
    Context root_{loop_.world()};
    Context context_{root_, std::chrono::seconds(20)};
    std::unique_ptr<http::Wire> wire_;
};

// Goal: a user hears live what concerns them and nothing else; who comes back hears what was missed, once and in order.
TEST(NotificationStream, UserHearsAllOnce) {
    SmtpServer server;
    TestService notifications{install, {.fakes = users(), .settings = {{"smtp", server.url()}}}};
    const auto confirm = [&](const std::string& order, const std::string& user) {
        notifications.deliver(order::confirmed, {.order_id = order, .user_id = user}, "event-" + order);
    };
    {
        Follower ada(notifications.address(), "u-1");
        EXPECT_TRUE(ada.head().contains("text/event-stream"));
        EXPECT_TRUE(ada.next().ends_with("id: 0\n\n"));
        confirm("o-1", "u-2");
        confirm("o-2", "u-1");
        const auto event = ada.next();
        EXPECT_TRUE(event.contains("id: 1\ndata: {")) << event;
        EXPECT_TRUE(event.contains(R"("orderId":"o-2")")) << event;
        EXPECT_TRUE(event.contains(R"("kind":"ORDER_CONFIRMED")")) << event;
    }
    for (int i = 3; i < 203; ++i) // more than are taken at once
        confirm("o-" + std::to_string(i), "u-1");
    ASSERT_TRUE(
        eventually([&] { return notifications.get("/notifications?userId=u-1").json().as_array().size() == 201; }));
    Follower back(notifications.address(), "u-1", "1");
    back.head();
    std::string missed;
    for (int i = 0; i < 300 && !missed.contains("id: 201\n"); ++i)
        missed += back.next();
    for (int i = 2; i <= 201; ++i) {
        const auto id = "id: " + std::to_string(i) + "\n";
        ASSERT_NE(missed.find(id), std::string::npos) << id;
        ASSERT_EQ(missed.find(id), missed.rfind(id)) << id;
    }
    confirm("o-203", "u-1");
    EXPECT_TRUE(back.next().contains("id: 202\n"));
    // An id that is not there any more, as after a restored backup: the stream says where it stands.
    Follower beyond(notifications.address(), "u-1", "999");
    beyond.head();
    EXPECT_TRUE(beyond.next().ends_with("id: 202\n\n"));
    const TestHeader forged{"last-event-id", "1; drop"};
    const auto refused = notifications.get("/notifications/stream?userId=u-1", {forged});
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(refused.json().at("code"), "invalid_event_id");
}

// Goal: a wrong setting stops the start and says which.
TEST(NotificationSettings, UnknownSettingIsRefused) {
    try {
        TestService notifications{install, {.fakes = users(), .settings = {{"smpt", "smtp://127.0.0.1:1"}}}};
        FAIL() << "started with an unknown setting";
    } catch (const std::runtime_error& refused) {
        EXPECT_STREQ(refused.what(), "prepare: --set smpt: there is no such setting; did you mean smtp?");
    }
}

} // namespace
} // namespace notification::notification_test
