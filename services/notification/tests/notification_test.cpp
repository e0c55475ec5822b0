#include "services/notification/notification.hpp"

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/notification/api/notification.hpp"
#include "services/order/api/order.hpp"
#include "services/user/api/user.hpp"

using namespace flotilla;

namespace notification {
namespace {

std::vector<Fake> users() {
    return {fake(user::service, user::get, [](user::UserId id) -> Result<user::User> {
        return user::User{.id = id.id, .email = "ada@example.com", .name = "Ada"};
    })};
}

std::string state_of(TestService& notifications, std::string_view user) {
    const auto listed = notifications.get("/notifications?userId=" + std::string(user)).json().as_array();
    return listed.empty() ? "" : std::string(listed[0].at("state").as_string());
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
} // namespace notification
