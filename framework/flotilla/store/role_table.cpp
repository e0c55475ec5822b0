#include <flotilla/store/role_table.hpp>

namespace flotilla::roles {

task<Result<RoleRow>> load(Context& context, Database& database, std::string role) {
    auto row = co_await must(database.find<RoleRow>(
        context, "SELECT epoch, holder, session, asked, answered FROM flotilla_roles WHERE role = $1",
        std::move(role)));
    co_return std::move(row).value_or(RoleRow());
}

Result<std::optional<std::int64_t>> Take::operator()(Transaction& transaction) const {
    const auto epoch = seen.epoch + 1;
    auto taken = transaction.execute(
        "INSERT INTO flotilla_roles (role, epoch, holder, session, asked, answered) VALUES ($1, $2, $3, $4, 0, 0) "
        "ON CONFLICT (role) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder, session = "
        "excluded.session, "
        "asked = 0, answered = 0 WHERE flotilla_roles.epoch = $5 AND flotilla_roles.answered = $6",
        role, epoch, holder, session, seen.epoch, seen.answered);
    if (!taken) return std::move(taken.error());
    if (*taken == 0) return std::optional<std::int64_t>();
    transaction.signal(kSignal);
    return std::optional(epoch);
}

Result<void> Ask::operator()(Transaction& transaction) const {
    auto asked = transaction.execute(
        "UPDATE flotilla_roles SET asked = answered + 1 WHERE role = $1 AND epoch = $2 AND asked = answered", role,
        epoch);
    if (!asked) return std::move(asked.error());
    transaction.signal(kSignal);
    return {};
}

Result<void> Answer::operator()(Transaction& transaction) const {
    auto answered =
        transaction.execute("UPDATE flotilla_roles SET answered = asked WHERE role = $1 AND epoch = $2", role, epoch);
    if (!answered) return std::move(answered.error());
    transaction.signal(kSignal);
    return {};
}

Result<void> Release::operator()(Transaction& transaction) const {
    auto released = transaction.execute(
        "UPDATE flotilla_roles SET epoch = epoch + 1, holder = '', session = '', asked = 0, answered = 0 "
        "WHERE role = $1 AND epoch = $2",
        role, epoch);
    if (!released) return std::move(released.error());
    transaction.signal(kSignal);
    return {};
}

Result<void> check_epoch(Transaction& transaction, const std::string& role, std::int64_t epoch) {
    auto current = transaction.find<std::int64_t>("SELECT epoch FROM flotilla_roles WHERE role = $1", role);
    if (!current) return std::move(current.error());
    if (*current == epoch) return {};
    return Error(Kind::unavailable, "role_lost",
                 "another host has taken over what this one wanted to write: the role \"" + role + "\" is in epoch " +
                     std::to_string(current->value_or(0)) + ", and this was epoch " + std::to_string(epoch));
}

} // namespace flotilla::roles
