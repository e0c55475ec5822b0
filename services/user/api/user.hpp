#pragma once

#include <flotilla/contract/contract.hpp>

/// The user service's contract: what callers and listeners may include.
namespace user {

using namespace flotilla;

struct CreateUser {
    Text<3, 254> email;
    Text<1, 200> name;
};
struct User {
    std::string id, email, name;
    Timestamp created_at;
};
struct UserId {
    std::string id;
};
struct UserCreated {
    std::string user_id, email, name;
};

inline constexpr ErrorCode user_not_found{"user_not_found", Kind::not_found, "User not found"};
inline constexpr ErrorCode user_exists{"user_exists", Kind::invalid, "User already exists"};
inline constexpr ErrorCode invalid_email{"invalid_email", Kind::invalid,
                                         "email is not an address like name@example.com"};

inline constexpr Service service{"user-service"};

/// Creates a user. The e-mail address is unique, without regard to case and spelling in any script: as
/// mail_address_key() tells addresses apart. It is kept and shown as it was given. Publishes user.created.
inline constexpr Endpoint<CreateUser, User> create{
    service,
    Method::post,
    "/users",
    {.success = 201, .idempotent = true, .errors = {user_exists, invalid_email}, .summary = "Create a user"}};
inline constexpr Endpoint<UserId, User> get{
    service, Method::get, "/users/{id}", {.errors = {user_not_found}, .summary = "Get a user"}};

inline constexpr Topic<UserCreated> created{"user.created", {.key = &UserCreated::user_id, .pubsub = true}};

} // namespace user
