#include "services/notification/notification.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include <flotilla/base/json_value.hpp>
#include <flotilla/bus/memory/memory_bus.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/notification/api/notification.hpp"
#include "services/notification/tests/smtp_server.hpp"
#include "services/order/api/order.hpp"
#include "services/user/api/user.hpp"

namespace notification::notification_test {
namespace {

using namespace flotilla;

std::vector<Fake> users() {
    return {fake(user::get, [](user::UserId id) -> Result<user::User> {
        return user::User{.id = id.id, .email = "ada@example.com", .name = "Ada"};
    })};
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
