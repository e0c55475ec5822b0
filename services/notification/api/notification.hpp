#pragma once

#include <flotilla/contract/contract.hpp>

/// The notification service's contract: what was, or will be, sent to a user.
namespace notification {

using namespace flotilla;

enum class Template { welcome, order_confirmed };
enum class State { queued, sent };

struct Notification {
    std::string id; ///< of the event it answers; also names the mail's Message-ID
    std::string user_id;
    Template kind = Template::welcome;
    State state = State::queued;
    Timestamp created_at;
    std::optional<Timestamp> sent_at;
};
struct ListNotifications {
    std::string user_id;
};

inline constexpr Service service{"notification-service"};

inline constexpr Endpoint<ListNotifications, std::vector<Notification>> list{
    service, Method::get, "/notifications", {.summary = "List what was sent, or waits to be sent, to a user"}};

} // namespace notification
