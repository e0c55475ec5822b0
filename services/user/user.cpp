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
    Users(Database& database, Publisher<UserCreated>& created) : database_(database), created_(created) {}

    task<Result<Recorded<User>>> create(Context& context, CreateUser request) {
        auto email = co_await must(parse_email(request.email.view()));
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<User> {
            User user{.id = tx.new_id(), .email = email, .name = request.name, .created_at = tx.now()};
            if (auto inserted = storage::insert(tx, user); !inserted) return inserted.error();
            auto published = created_.publish(tx, {.user_id = user.id, .email = user.email, .name = user.name});
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
    Publisher<UserCreated>& created_;
};

} // namespace

void install(Host& host) {
    auto& users = host.own<Users>(host.database(migrations, storage::backfills()), host.publishes(created));
    host.serve(create, &Users::create, users);
    host.serve(get, &Users::get, users);
}

} // namespace user
