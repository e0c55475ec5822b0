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
    std::optional<std::string> bio;
};
struct UserId {
    std::string id;
};
/// Changes what is given, leaves the rest; a `bio` of null goes away.
struct UpdateUser {
    std::string id;
    std::optional<Text<3, 254>> email;
    std::optional<Text<1, 200>> name;
    Patch<Text<1, 1000>> bio;
};
struct UserCreated {
    std::string user_id, email, name;
};
struct UserUpdated {
    std::string user_id, email, name; ///< as they are now
};

inline constexpr ErrorCode user_not_found{"user_not_found", Kind::not_found, "User not found"};
inline constexpr ErrorCode user_exists{"user_exists", Kind::invalid, "User already exists"};
inline constexpr ErrorCode invalid_email{"invalid_email", Kind::invalid,
                                         "email is not an address like name@example.com"};

inline constexpr Service service{"user-service"};

/// Creates a user. The e-mail address is unique, without regard to case and spelling in any script: as
/// mail_address_key() tells addresses apart. It is kept and shown as it was given. Publishes user.created.
inline constexpr Endpoint<CreateUser, User> create{service,
                                                   Method::post,
                                                   "/users",
                                                   {.success = 201,
                                                    .idempotent = true,
                                                    .versioned = true,
                                                    .errors = {user_exists, invalid_email},
                                                    .summary = "Create a user"}};
inline constexpr Endpoint<UserId, User> get{
    service, Method::get, "/users/{id}", {.versioned = true, .errors = {user_not_found}, .summary = "Get a user"}};
/// Changes the profile; an e-mail address is as unique as with create. Publishes user-updated when something is
/// another.
inline constexpr Endpoint<UpdateUser, User> update{service,
                                                   Method::patch,
                                                   "/users/{id}",
                                                   {.idempotent = true,
                                                    .versioned = true,
                                                    .errors = {user_not_found, user_exists, invalid_email},
                                                    .summary = "Change name, e-mail address or bio"}};

inline constexpr Topic<UserCreated> created{"user.created", {.key = &UserCreated::user_id, .pubsub = true}};
inline constexpr Topic<UserUpdated> updated{"user-updated", {.key = &UserUpdated::user_id}};

} // namespace user
