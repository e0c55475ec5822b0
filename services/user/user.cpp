#include "services/user/user.hpp"

#include <flotilla/base/mail_address.hpp>
#include <services/user/migrations.hpp>

#include "services/user/api/user.hpp"
#include "services/user/domain/email.hpp"
#include "services/user/storage/users.hpp"

namespace user {
namespace {

class Users {
public:
    Users(Database& database, Publisher<UserCreated>& created) : database_(database), created_(created) {}

    task<Result<Recorded<User>>> create(Context& context, CreateUser request) {
        auto email = co_await must(parse_email(request.email.view()));
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<User> {
            User user{.id = tx.new_id(), .email = email, .name = request.name, .created_at = tx.now()};
            if (!tx.try_insert(storage::users, {user.id, email, mail_address_key(email), user.name, user.created_at}))
                return user_exists;
            created_.publish(tx, {.user_id = user.id, .email = user.email, .name = user.name});
            return user;
        });
    }

    task<Result<User>> get(Context& context, UserId request) {
        co_return co_await must(database_.find(context, storage::user_of, request.id), or_none(user_not_found));
    }

private:
    Database& database_;
    Publisher<UserCreated>& created_;
};

} // namespace

void install(Host& host) {
    auto& database =
        host.database(migrations, {storage::users, storage::user_of, storage::users_after, storage::set_identity},
                      storage::backfills());
    auto& users = host.own<Users>(database, host.publishes(created));
    host.serve(create, &Users::create, users);
    host.serve(get, &Users::get, users);
}

} // namespace user
