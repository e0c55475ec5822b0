#pragma once

#include <flotilla/contract/contract.hpp>

/// The notification service's contract: what was, or will be, told to a user, by mail and live.
namespace notification {

using namespace flotilla;

enum class Template { welcome, order_confirmed, order_cancelled, order_dispatched };
/// SWITCHED_OFF: the user wants no such mail. Live it is told all the same.
enum class State { queued, sent, switched_off };

struct Notification {
    std::string id; ///< of the event it answers; also names the mail's Message-ID
    std::string user_id;
    Template kind = Template::welcome;
    State state = State::queued;
    Timestamp created_at;
    std::optional<Timestamp> sent_at;
    std::optional<std::string> order_id;
    std::optional<std::string> reason;  ///< why the order was cancelled
    std::optional<std::int64_t> number; ///< counts what a user was told: 1, 2, 3, ...; the id of its live update
};
struct NotificationId {
    std::string id;
};
struct ListNotifications {
    std::string user_id;
};
struct ListParked {
    std::optional<Bounded<int, 1, 1000>> limit; ///< 100 by default
};
/// A mail that was given up.
struct Parked {
    std::string id; ///< of its notification
    std::string reason;
    std::int64_t attempts = 0;
    Timestamp parked_at;
};
struct ConfirmationOf {
    std::string id; ///< of the order
};
struct PreferencesOf {
    std::string user_id;
};
/// Which mails a user wants. Only ORDER_DISPATCHED can be switched off: the others are part of the contract.
struct Preferences {
    std::string user_id;
    bool welcome = true, order_confirmed = true, order_cancelled = true, order_dispatched = true;
};
/// What is left out is on.
struct SetPreferences {
    std::string user_id;
    std::optional<bool> welcome, order_confirmed, order_cancelled, order_dispatched;
};

inline constexpr ErrorCode notification_not_found{"notification_not_found", Kind::not_found, "Notification not found"};
inline constexpr ErrorCode order_not_found{"order_not_found", Kind::not_found, "Order not found"};
inline constexpr ErrorCode order_not_confirmed{"order_not_confirmed", Kind::conflict, "The order is not confirmed"};
inline constexpr ErrorCode user_not_found{"user_not_found", Kind::not_found, "User not found"};
inline constexpr ErrorCode mandatory_mail{"mandatory_mail", Kind::invalid,
                                          "{} cannot be switched off; only orderDispatched can"};
inline constexpr ErrorCode invalid_event_id{"invalid_event_id", Kind::invalid,
                                            "Last-Event-ID is none that this stream has given"};

inline constexpr Service service{"notification-service"};

inline constexpr Endpoint<ListNotifications, std::vector<Notification>> list{
    service, Method::get, "/notifications", {.summary = "List what was sent, or waits to be sent, to a user"}};
/// What is told to a user, live: what comes from now on, or behind Last-Event-ID.
inline constexpr EventStreamEndpoint<ListNotifications, Notification> watch{
    service,
    Method::get,
    "/notifications/stream",
    {.errors = {invalid_event_id}, .summary = "Follow what is told to a user"}};
inline constexpr Endpoint<ListParked, std::vector<Parked>> list_parked{
    service, Method::get, "/notifications/parked", {.summary = "List the mails that were given up, the oldest first"}};
/// A mail that was not given up stays as it is.
inline constexpr Endpoint<NotificationId, Notification> redrive{
    service,
    Method::post,
    "/notifications/{id}/redrive",
    {.errors = {notification_not_found}, .summary = "Try a mail again that was given up"}};
/// One mail however often it is asked for, and whether or not the order's event has come.
inline constexpr Endpoint<ConfirmationOf, Notification> confirm{
    service,
    Method::post,
    "/orders/{id}/confirmation",
    {.idempotent = true,
     .errors = {order_not_found, order_not_confirmed},
     .summary = "Send the confirmation of a confirmed order"}};
inline constexpr Endpoint<PreferencesOf, Preferences> get_preferences{
    service, Method::get, "/preferences/{userId}", {.summary = "Say which mails a user wants"}};
inline constexpr Endpoint<SetPreferences, Preferences> set_preferences{
    service,
    Method::put,
    "/preferences/{userId}",
    {.errors = {mandatory_mail, user_not_found}, .summary = "Choose which mails a user wants"}};

} // namespace notification
