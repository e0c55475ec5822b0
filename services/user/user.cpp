#include "services/user/user.hpp"

#include <flotilla/base/mail_address.hpp>
#include <services/user/migrations.hpp>

#include "services/user/api/user.hpp"
#include "services/user/domain/email.hpp"
#include "services/user/storage/users.hpp"

namespace user {
namespace {

User shown(const storage::UserRow& row) {
    return {.id = row.id, .email = row.email, .name = row.name, .created_at = row.created_at, .bio = row.bio};
}

/// The row as changed. Errors: invalid_email.
Result<storage::UserRow> changed(storage::UserRow row, const UpdateUser& request) {
    if (request.email) {
        auto email = parse_email(request.email->view());
        if (!email) return std::move(email.error());
        row.email = std::move(*email);
        row.email_identity = mail_address_key(row.email);
    }
    if (request.name) row.name = *request.name;
    if (request.bio.is_null()) row.bio.reset();
    if (request.bio.has_value()) row.bio = *request.bio;
    return row;
}

class Users {
public:
    Users(Database& database, Publisher<UserCreated>& created, Publisher<UserUpdated>& updated)
        : database_(database), created_(created), updated_(updated) {}

    task<Result<Recorded<Versioned<User>>>> create(Context& context, CreateUser request) {
        auto email = co_await must(parse_email(request.email.view()));
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Versioned<User>> {
            const storage::UserRow row{.id = tx.new_id(),
                                       .email = email,
                                       .email_identity = mail_address_key(email),
                                       .name = request.name,
                                       .created_at = tx.now()};
            if (!tx.try_insert(storage::users, {row})) return user_exists;
            created_.publish(tx, {.user_id = row.id, .email = row.email, .name = row.name});
            return Versioned{shown(row)};
        });
    }

    task<Result<Versioned<User>>> get(Context& context, UserId request) {
        co_return co_await must(database_.find(context, storage::user_of, request.id), or_none(user_not_found));
    }

    task<Result<Recorded<Changed<User>>>> update(Context& context, UpdateUser request, ExpectedVersion expected) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Changed<User>> {
            const auto found = tx.find(storage::users, request.id);
            if (!found) return user_not_found;
            auto row = changed(found->value, request);
            if (!row) return std::move(row.error());
            if (*row == found->value)
                return tx.changed(expected, found->version, Versioned{shown(*row), found->version});
            if (tx.find(storage::id_of, row->email_identity).value_or(row->id) != row->id) return user_exists;
            updated_.publish(tx, {.user_id = row->id, .email = row->email, .name = row->name});
            return tx.change(storage::users, {*row, found->version}, expected).as(&shown);
        });
    }

private:
    Database& database_;
    Publisher<UserCreated>& created_;
    Publisher<UserUpdated>& updated_;
};

} // namespace

void install(Host& host) {
    auto& database = host.database(
        migrations, {storage::users, storage::user_of, storage::id_of, storage::users_after, storage::set_identity},
        storage::backfills());
    auto& users = host.own<Users>(database, host.publishes(created), host.publishes(updated));
    host.serve(create, &Users::create, users);
    host.serve(get, &Users::get, users);
    host.serve(update, &Users::update, users);
}

} // namespace user
