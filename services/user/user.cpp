#include "services/user/user.hpp"

#include <services/user/migrations.hpp>

#include "services/user/api/user.hpp"
#include "services/user/domain/email.hpp"
#include "services/user/storage/users.hpp"

namespace user {
namespace {

class Users {
public:
    explicit Users(Database& database) : database_(database) {}

    task<Result<User>> create(Context& context, CreateUser request) {
        auto email = co_await must(parse_email(request.email.view()));
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<User> {
            User user{.id = tx.new_id(), .email = email, .name = request.name, .created_at = tx.now()};
            if (!tx.try_insert(storage::users, storage::to_row(user))) return user_exists;
            publish(tx, created, {.user_id = user.id, .email = user.email, .name = user.name});
            return user;
        });
    }

    task<Result<User>> get(Context& context, UserId request) {
        co_return co_await must(database_.find(context, storage::user_of, request.id), or_none(user_not_found));
    }

private:
    Database& database_;
};

} // namespace

void install(Host& host) {
    auto& users = host.own<Users>(
        host.database(migrations, {storage::users, storage::user_of, storage::users_after, storage::set_identity},
                      storage::backfills()));
    host.serve(create, &Users::create, users);
    host.serve(get, &Users::get, users);
    host.publishes(created);
}

} // namespace user
