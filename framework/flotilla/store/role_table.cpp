#include <flotilla/store/role_table.hpp>

namespace flotilla::roles {
namespace {

constexpr Query<RoleRow, std::string_view> kLoad{
    "SELECT epoch, holder, session, asked, answered FROM flotilla_roles WHERE role = $1"};
constexpr Query<std::int64_t, std::string_view> kEpoch{"SELECT epoch FROM flotilla_roles WHERE role = $1"};
constexpr Statement<std::string_view, std::int64_t, std::string_view, std::string_view, std::int64_t, std::int64_t>
    kTake{"INSERT INTO flotilla_roles (role, epoch, holder, session, asked, answered) VALUES ($1, $2, $3, $4, 0, 0) "
          "ON CONFLICT (role) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder, session = "
          "excluded.session, asked = 0, answered = 0 WHERE flotilla_roles.epoch = $5 AND flotilla_roles.answered = $6"};
constexpr Statement<std::string_view, std::int64_t> kAsk{
    "UPDATE flotilla_roles SET asked = answered + 1 WHERE role = $1 AND epoch = $2 AND asked = answered"};
constexpr Statement<std::string_view, std::int64_t> kAnswer{
    "UPDATE flotilla_roles SET answered = asked WHERE role = $1 AND epoch = $2"};
constexpr Statement<std::string_view, std::int64_t> kRelease{
    "UPDATE flotilla_roles SET epoch = epoch + 1, holder = '', session = '', asked = 0, answered = 0 "
    "WHERE role = $1 AND epoch = $2"};

} // namespace

task<Result<RoleRow>> load(Context& context, Database& database, std::string role) {
    auto row = co_await must(database.find(context, kLoad, role));
    co_return std::move(row).value_or(RoleRow());
}

std::optional<std::int64_t> Take::operator()(Transaction& transaction) const {
    const auto epoch = seen.epoch + 1;
    if (transaction.execute(kTake, role, epoch, holder, session, seen.epoch, seen.answered) == 0) return {};
    transaction.signal(kSignal);
    return epoch;
}

void Ask::operator()(Transaction& transaction) const {
    transaction.execute(kAsk, role, epoch);
    transaction.signal(kSignal);
}

void Answer::operator()(Transaction& transaction) const {
    transaction.execute(kAnswer, role, epoch);
    transaction.signal(kSignal);
}

void Release::operator()(Transaction& transaction) const {
    transaction.execute(kRelease, role, epoch);
    transaction.signal(kSignal);
}

void check_epoch(Transaction& transaction, std::string_view role, std::int64_t epoch) {
    const auto current = transaction.find(kEpoch, role);
    if (current == epoch) return;
    transaction.fail(Error(Kind::unavailable, "role_lost",
                           "another host has taken over what this one wanted to write: the role \"" +
                               std::string(role) + "\" is in epoch " + std::to_string(current.value_or(0)) +
                               ", and this was epoch " + std::to_string(epoch)));
}

} // namespace flotilla::roles
