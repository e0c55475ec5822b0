#include "services/user/user.hpp"

#include <services/user/migrations.hpp>

#include "services/user/api/user.hpp"
#include "services/user/domain/email.hpp"
#include "services/user/storage/users.hpp"

using namespace flotilla;

namespace user {
namespace {

class Users {
public:
    explicit Users(Database& database) : database_(database) {}

    task<Result<User>> create(Context& context, CreateUser request) {
        auto email = co_await must(parse_email(request.email.view()));
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<User> {
            User user{.id = tx.new_id(), .email = email, .name = request.name, .created_at = tx.now()};
            if (auto inserted = storage::insert(tx, user); !inserted) return inserted.error();
            auto published = publish(tx, created, {.user_id = user.id, .email = user.email, .name = user.name});
            if (!published) return published.error();
            return user;
        });
    }

    task<Result<User>> get(Context& context, UserId request) {
        auto user = co_await must(storage::find(context, database_, request.id));
        if (!user) co_return user_not_found;
        co_return std::move(*user);
    }

private:
    Database& database_;
};

} // namespace

void install(Host& host) {
    auto& users = host.own<Users>(host.database(migrations, storage::backfills()));
    host.serve(create, &Users::create, users);
    host.serve(get, &Users::get, users);
    host.publishes(created);
}

} // namespace user
